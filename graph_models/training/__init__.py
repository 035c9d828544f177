"""Training: labelled candidate tables in, a model folder out.

``settings`` what it depends on; ``batches`` tables as tensors; ``loss``; ``fitting`` the loop with early stopping; ``judging``
ranks; ``gate`` how far the network may correct; ``writing`` the model folder; ``run`` puts them together.
"""

from graph_models.training.judging import score_tables
from graph_models.training.run import Fitted, fit, train
from graph_models.training.settings import Epoch, LabelledTable, TrainingSettings

__all__ = ["Epoch", "Fitted", "LabelledTable", "TrainingSettings", "fit", "score_tables", "train"]
