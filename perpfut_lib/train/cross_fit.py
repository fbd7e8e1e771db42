"""What the base rule earns in training windows that it was not fitted to: more days than validation has."""

from dataclasses import replace

import numpy as np

from perpfut_lib.train.base_rule import fit_base_rule
from perpfut_lib.train.training_task import TrainingTask, walk_validation
from perpfut_lib.types import Float1D


def unseen_utilities(task: TrainingTask) -> Float1D:
    """Return the utility of each training episode under a base rule fitted to the other parts of the span, (E,).

    The windows are cut into ``train.cross_fit`` parts of consecutive ones. Same task, same bits.

    References
    ----------
    Stone (1974), Cross-validatory choice and assessment of statistical predictions, JRSS B 36(2).
    """
    start = task.train.pair_days["start"].to_numpy(np.int64)
    utilities = np.zeros(len(start))
    for part in np.array_split(np.unique(start), task.settings.cross_fit):
        inside = np.isin(start, part)
        if inside.any() and not inside.all():
            rest = replace(task, train=task.train.rows(np.flatnonzero(~inside)))
            left_out = replace(rest, base=fit_base_rule(rest), validate=task.train.rows(np.flatnonzero(inside)))
            region = left_out.region(left_out.validate)
            utilities[inside] = walk_validation(left_out, lambda rows: np.zeros(len(rows)), region)[1]
    return utilities
