"""Where a trace is once it is stored: on one day, under one time, whatever its source sends later.

A live source may give a trace again from another root of it, which began later, perhaps on the next day. Where the first is
stored, tags and receipts are too; the later row would be a second trace.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from intent_assets.contracts import TableStore
from intent_assets.intents.days import shift_day
from intent_assets.tables import RAW_TRACES


def settled(rows: pa.Table, tables: TableStore, day: str) -> pa.Table:
    """Return those of `rows` (RAW_TRACES, all of `day`) that may be stored there.

    Left out are traces that are stored on this day under an earlier time, and traces that are not stored on this day but on the
    day before or after.
    """
    if not rows.num_rows:
        return rows
    keys = rows.select(list(RAW_TRACES.key))
    here = tables.read(RAW_TRACES, day, ["trace_id", "timestamp"], keys=keys)
    beside = [tables.read(RAW_TRACES, shift_day(day, n), ["trace_id"], keys=keys)["trace_id"] for n in (-1, 1)]
    at = pc.index_in(rows["trace_id"], value_set=here["trace_id"].combine_chunks())
    earlier = pc.fill_null(pc.less(here["timestamp"].take(at), rows["timestamp"]), False)
    elsewhere = np.zeros(rows.num_rows, dtype=bool)
    for ids in beside:
        elsewhere |= np.asarray(pc.is_in(rows["trace_id"], value_set=ids.combine_chunks()))
    known_here = np.asarray(at.is_valid())
    return rows.filter(pa.array(~np.asarray(earlier) & (known_here | ~elsewhere)))
