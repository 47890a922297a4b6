"""The options that several commands share, declared once."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import typer

from tuner import database_url
from tuner.catalogue import facts
from tuner.catalogue.catalogue import Catalogue
from tuner.catalogue.facts import Facts
from tuner.cli.tree import STORE
from tuner.results import FOLDER, Results

T = TypeVar("T")

Verbose = Annotated[
    bool, typer.Option("--verbose", help="Also the statistics: noise, minimum detectable effect, time per phase.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
RESULTS: Final = FOLDER
"""The folder that `--results` names when nobody does."""
ResultsFolder = Annotated[
    Path, typer.Option("--results", metavar="DIR", help="Folder of the reports and, without --store, of the database.")
]
StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        envvar=STORE,
        help="Database that many hosts share: postgresql+psycopg://USER@HOST/NAME, or sqlite:///FILE.",
    ),
]


def where(results: ResultsFolder = RESULTS, store: StoreUrl = None) -> Results:
    """Return where sessions and their files are; raise `UsageError` for a store of no kind that is known."""
    return Results(results, database_url.checked(store) if store else None)


def those(has: Callable[[Facts], object]) -> str:
    """Return the names of the stacks of which something is true, as help texts list them."""
    return ", ".join(each.name for each in facts.every() if has(each))


STACK_NAMES: Final = " or ".join(those(lambda _: True).rsplit(", ", 1))
"""The stacks as help texts name them."""
StackName = Annotated[str, typer.Option("--stack", metavar="STACK", help=f"{STACK_NAMES}.")]
AnyStack = Annotated[str | None, typer.Option("--stack", metavar="STACK", help=f"Only this stack: {STACK_NAMES}.")]
Release = Annotated[
    str | None, typer.Option("--stack-version", metavar="RELEASE", help="The stack's release, e.g. 3.40.2.")
]


def release_of(known: Catalogue, stated: str | None) -> str:
    """Return the release that is meant, the newest when None; stderr has what must be said of one that is not known."""
    found = known.taken(stated)
    if found.remark:
        typer.echo(f"warning: {found.remark}", err=True)
    return found.release


Rings = Annotated[
    int,
    typer.Option(
        "--rings",
        metavar="N",
        min=0,
        help=f"Receive and send rings that the program will have ({those(lambda each: each.pools)}).",
    ),
]
Lib = Annotated[
    Path | None, typer.Option("--lib", metavar="PATH", help="The stack's library, instead of the loader's.")
]
ObjectiveName = Annotated[
    str | None,
    typer.Option(
        "--objective",
        help="latency, tail, throughput, balanced, or e.g. 'max rate where p99 < 50us'; of a recipe 'max METRIC'.",
    ),
]
Seed = Annotated[int, typer.Option("--seed", help="Makes the order of runs and the proposals reproducible.")]


def made_from_options(**makers: Callable[..., Any]) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Give a command options that become one argument: `workload=workload` declares all options of that function.

    The command is called with the function's result, so that commands share options without repeating them. Such a
    function may itself be made so.
    """

    def decorate(command: Callable[..., T]) -> Callable[..., T]:
        signature = inspect.signature(command, eval_str=True)
        shared = {name: inspect.signature(maker, eval_str=True).parameters for name, maker in makers.items()}
        own = [parameter for name, parameter in signature.parameters.items() if name not in makers]
        added = [parameter for parameters in shared.values() for parameter in parameters.values()]

        @functools.wraps(command)
        def with_made(**given: Any) -> T:
            made = {name: maker(**{key: given.pop(key) for key in shared[name]}) for name, maker in makers.items()}
            return command(**given, **made)

        every = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in (*own, *added)]
        with_made.__signature__ = signature.replace(parameters=every)  # type: ignore[attr-defined] # what typer reads
        with_made.__annotations__ = {parameter.name: parameter.annotation for parameter in every}
        return with_made

    return decorate
