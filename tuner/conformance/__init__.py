"""The suites that this package's own optimizers, stacks, export forms and recipes pass, for the tests of those of others.

A test module of a plug-in names what is tested by a fixture and takes the suite, for pytest to collect:

    import pytest
    from tuner.conformance import OptimizerConformance

    @pytest.fixture
    def tuner_optimizer() -> str:
        return "mine"

    class TestMine(OptimizerConformance): ...
"""

import pytest

pytest.register_assert_rewrite(
    f"{__name__}.optimizers", f"{__name__}.stacks", f"{__name__}.exports", f"{__name__}.benchmarks"
)

from tuner.conformance.benchmarks import BenchmarkConformance  # noqa: E402 - after pytest knows whose assertions to explain
from tuner.conformance.exports import ExportConformance  # noqa: E402 - as above
from tuner.conformance.optimizers import OptimizerConformance  # noqa: E402 - as above
from tuner.conformance.stacks import StackConformance  # noqa: E402 - as above

__all__ = ["BenchmarkConformance", "ExportConformance", "OptimizerConformance", "StackConformance"]
