"""The faces of one document: plain text, Markdown, HTML. None of them says more than the document does."""
