"""The scikit-learn face: estimators over lists of paths, images, arrays, sounds, strings or tokens.

They choose a backbone and fit like ``headstart fit --strategy``, without the measuring; the default is the probe and no
ladder, because in a cross-validation or a search a fit has to be quick and to depend on nothing but data and seed: a
climb looks at the time. Any call string is taken, ``finetune(last=2)`` too. Wrap them in
`sklearn.model_selection.cross_val_score` or a search of your own. Features come from the same store, so a
cross-validation runs the network once.
"""

from headstart.estimators._adapter import TransferAdapter
from headstart.estimators._classifier import TransferClassifier
from headstart.estimators._regressor import TransferRegressor
from headstart.estimators._tagger import TransferTagger
from headstart.estimators._transcriber import TransferTranscriber

__all__ = ["TransferAdapter", "TransferClassifier", "TransferRegressor", "TransferTagger", "TransferTranscriber"]
