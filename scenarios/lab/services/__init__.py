"""The lab's small web services. They run under Debian's Python with Debian's packages, on the lab's hosts only."""
