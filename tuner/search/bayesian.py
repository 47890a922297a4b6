"""Bayesian search by scikit-optimize: the only module that imports it."""

from __future__ import annotations

import itertools
import random
import statistics
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from tuner.search.optimizer import History, Observation, Outcome, Repair, any_new, runnable
from tuner.search.space import SearchSpace

with warnings.catch_warnings():  # its imports warn about numpy's future, which nobody here can act on
    warnings.simplefilter("ignore")
    import skopt
    from skopt.acquisition import gaussian_ei
    from skopt.learning import GaussianProcessRegressor
    from skopt.learning.gaussian_process.kernels import ConstantKernel, Matern
    from skopt.space import Real

Array = NDArray[np.float64]

DESIGN: Final = (6, 12)
MOST_OBSERVATIONS: Final = 100
RANDOM_CANDIDATES: Final = 600
PARENTS: Final = 4
BROODS: Final = 8
SHORTLIST: Final = 24
FIT_STEPS: Final = 30
LEAST_SPREAD: Final = 0.02
DEEPEST: Final = 3.0
OWN = True
RANKED = True


class BayesianSearch:
    def __init__(self, space: SearchSpace, seed: int, feasible: Repair) -> None:
        self._space = space
        self._seed = seed
        self._feasible = feasible
        self._history = History()
        count = min(max(DESIGN[0], len(space.dimensions)), DESIGN[1])
        self._design = space.spread(count, random.Random(f"{seed}/design"))  # noqa: S311

    def tell(self, outcome: Outcome) -> None:
        self._history.tell(outcome)

    def ask(self) -> dict[str, str]:
        proposal = self._proposal()
        self._history.asked(proposal)
        return dict(proposal)

    def _proposal(self) -> dict[str, str]:
        rng = self._history.rng(self._seed)
        planned = next(iter(runnable(self._design, self._feasible, self._history)), None)
        if planned is not None:
            return planned
        observed = self._history.observations()
        if sum(o.gain is not None for o in observed) < 2 or self._space.width == 0:
            return any_new(self._space, self._feasible, self._history, rng)
        with warnings.catch_warnings(), threadpool_limits(limits=1):
            warnings.simplefilter("ignore")
            found = self._modelled(observed, rng)
        return found or any_new(self._space, self._feasible, self._history, rng)

    def _modelled(self, observed, rng):
        kept = observed
        points, costs, alphas = self._lesson(kept)
        opt = self._optimizer(alphas, rng)
        opt.tell(points, costs)
        model = opt.models[-1]
        best = float(np.min(model.predict(np.array(points))))
        def acq(settings):
            X = np.array([self._space.encode(s) for s in settings])
            return gaussian_ei(X, model, best, XI)
        cands = []
        if OWN:
            cands.append(self._space.decode(tuple(float(v) for v in opt.ask())))
        if not RANKED:
            return next(iter(runnable(cands, self._feasible, self._history)), None)
        cands += [self._space.sample(rng) for _ in range(RANDOM_CANDIDATES)]
        parents = sorted((o for o in observed if o.gain is not None), key=lambda o: -o.gain)[:PARENTS]
        for p in parents:
            for _ in range(BROODS):
                brood = self._space.neighbours(p.settings, rng)
                cands += brood
                if brood:
                    cands += self._space.neighbours(rng.choice(brood), rng)
        order = np.argsort(-acq(cands), kind="stable")
        for chunk in range(0, len(order), SHORTLIST):
            short = [cands[i] for i in order[chunk:chunk+SHORTLIST]]
            ok = list(runnable(short, self._feasible, self._history))
            if ok:
                return ok[int(np.argmax(acq(ok)))]
        return None

    def _lesson(self, observed):
        gains = [o.gain for o in observed if o.gain is not None]
        best, mid = max(gains), statistics.median(gains)
        spread = max(best - mid, LEAST_SPREAD)
        floor = mid - DEEPEST * spread
        worst = max(min(gains), floor)
        clipped = [max(o.gain, floor) if o.gain is not None else worst - spread for o in observed]
        lie = statistics.fmean(clipped)
        pend = self._history.pending
        points = [list(self._space.encode(s)) for s in (*(o.settings for o in observed), *pend)]
        values = clipped + [lie] * len(pend)
        scale = float(np.var(values)) or 1.0
        alphas = [1e-6 + (o.variance or 0.0) / scale + (0.0 if self._space.covers(o.settings) else 1.0) for o in observed] + [1e-6]*len(pend)
        return points, [-v for v in values], np.array(alphas)

    def _optimizer(self, alphas, rng):
        width = self._space.width
        kernel = ConstantKernel(1.0, (0.05, 1000.0)) * Matern(np.full(width, 1.0), [(0.05, 1000.0)] * width, nu=2.5)
        if SUR=='ET':
            from skopt.learning import ExtraTreesRegressor
            return skopt.Optimizer([Real(0.0, 1.0)] * width, base_estimator=ExtraTreesRegressor(n_estimators=100,min_samples_leaf=2,random_state=1), n_initial_points=0, acq_func='EI', acq_optimizer='sampling', acq_optimizer_kwargs={'n_points': 1}, random_state=1)
        est = GaussianProcessRegressor(kernel=kernel, alpha=alphas, normalize_y=True, noise="gaussian", optimizer=_fit, n_restarts_optimizer=0)
        return skopt.Optimizer(
            [Real(0.0, 1.0)] * width, base_estimator=est, n_initial_points=0, acq_func="EI",
            acq_optimizer="lbfgs" if OWN else "sampling",
            acq_optimizer_kwargs={"n_points": 400 if OWN else 1, "n_restarts_optimizer": 2},
            random_state=rng.randrange(2**31), model_queue_size=1,
        )

PRIOR = True
CENTRE = lambda d: 2**.5 + np.log(d)/2
LS_SD=3**.5
SUR='GP'
XI=0.0
def _fit(objective, start, bounds):
    d = len(start) - 2
    mean = np.array([0.0] + [CENTRE(d)] * d + [-4.0])
    sd = np.array([1.0] + [LS_SD] * d + [1.5])
    def penal(theta):
        v, g = objective(theta)
        z = (theta - mean) / sd
        return v + 0.5 * float(z @ z), g + z / sd
    if PRIOR:
        start = np.clip(mean, bounds[:, 0], bounds[:, 1])
    r = minimize(penal if PRIOR else objective, start, method="L-BFGS-B", jac=True, bounds=bounds, options={"maxfun": FIT_STEPS, "maxiter": FIT_STEPS})
    return r.x, r.fun
