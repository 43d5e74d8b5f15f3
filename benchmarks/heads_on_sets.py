"""A comparison of heads over labelled sets, from the command line to the stored table: what few_shot and supervised share."""

from collections.abc import Callable, Sequence

from benchmarks.data_sets import DataSet, options, read_set
from benchmarks.heads_compared import HEADS, WITH_NAMES
from benchmarks.results import Row, over_seeds, save, show

SETS = ("banking77", "clinc150")
FIGURES = ("accuracy", "macro_f1", "ece", "fit_s", "predict_us")


def compare(
    doc: str | None,
    name: str,
    measure: Callable[[DataSet, Sequence[str]], Sequence[Row]],
    *,
    by: Sequence[str],
    draws: Sequence[int],
    sets: Sequence[str] = SETS,
    methods: Sequence[str] = tuple(name for name in HEADS if name != WITH_NAMES),
) -> None:
    """Measure the sets that the command line names; print a table and store it as `name`.

    Args:
        doc: of the benchmark, for --help.
        name: of the stored results.
        measure: gives a row per head named and draw of a set, without its name.
        by: columns beside the set and the method that rows with the same values are averaged within.
        draws: seeds, as they are recorded.
        sets: those measured when the command line names none.
        methods: likewise the heads.
    """
    parser = options(doc)
    parser.add_argument("--sets", nargs="+", default=list(sets))
    parser.add_argument("--methods", nargs="+", default=list(methods), choices=HEADS)
    args = parser.parse_args()
    columns = ("set", *by, "method")
    found = [
        {"set": data.name, **row}
        for data in (read_set(one, args.data, args.cache) for one in args.sets)
        for row in measure(data, args.methods)
    ]
    rows = over_seeds(found, columns, FIGURES)
    show(name.replace("_", "-").capitalize(), rows, (*columns, *FIGURES))
    print(save(args.out, name, rows, counted="in-scope test rows; abstentions aside", seeds=draws))
