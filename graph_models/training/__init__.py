"""Training: labelled candidate tables in, a model folder out.

``settings`` what it depends on; ``batches`` tables as tensors; ``mixture`` several systems in one training; ``loss``; ``pretext``
tasks without labels; ``fitting`` the loop with early stopping, ``state`` its checkpoints, ``processes`` the loop shared among
several; ``judging`` ranks; ``gate`` how far the network may correct; ``writing`` the model folder; ``run`` puts them together.
"""

from graph_models.training.judging import score_tables
from graph_models.training.mixture import Source
from graph_models.training.run import Fitted, Running, fit, train
from graph_models.training.settings import Epoch, LabelledTable, TrainingSettings

__all__ = [
    "Epoch",
    "Fitted",
    "LabelledTable",
    "Running",
    "Source",
    "TrainingSettings",
    "fit",
    "score_tables",
    "train",
]
