"""Seconds that `learn` takes with everything in it (words, all heads compared, suspects, cut-offs), and predicting beside embedding.

    python -m benchmarks.training_speed [--data FOLDER] [--cache FOLDER]

CLINC150's whole training split: 15,000 rows of 150 intents. The texts of the in-scope test rows are embedded and tagged; the share is
predicting over embedding. Processor seconds tell more than seconds on a machine that has other work.
"""

import time

import numpy as np

from benchmarks.data_sets import options, read_set
from benchmarks.results import save, show
from intent_assets.adapters.embedder import make_embedder
from intent_assets.intents.classifier import learn

COLUMNS = ("rows", "intents", "learn_s", "learn_cpu_s", "suspects", "heads_tried", "texts", "embed_s", "predict_s", "predict_share")


def main() -> None:
    args = options(__doc__).parse_args()
    data = read_set("clinc150", args.data, args.cache)
    train, test = data.rows("train"), data.rows("test")
    vectors, gold = data.vectors[train], data.gold[train].tolist()
    texts, new = [data.texts[row] for row in train.tolist()], [data.texts[row] for row in test.tolist()]
    start, start_cpu = time.perf_counter(), time.process_time()
    learned = learn(vectors, gold, texts=texts, seed=0)
    learn_s, learn_cpu_s = time.perf_counter() - start, time.process_time() - start_cpu
    embedder = make_embedder("default", args.cache)
    embedder.encode(new[:200])  # the first call loads the model
    start = time.perf_counter()
    made = np.asarray(embedder.encode(new), dtype=np.float32)
    embed_s, start = time.perf_counter() - start, time.perf_counter()
    learned.classifier.predict(new, made)
    predict_s = time.perf_counter() - start
    row = {
        "rows": len(train),
        "intents": data.n_intents,
        "learn_s": learn_s,
        "learn_cpu_s": learn_cpu_s,
        "suspects": len(learned.suspects),
        "heads_tried": len(learned.tried),
        "texts": len(new),
        "embed_s": embed_s,
        "predict_s": predict_s,
        "predict_share": predict_s / embed_s,
    }
    show("Training speed", [row], COLUMNS)
    print(save(args.out, "training_speed", [row], counted="one run"))


if __name__ == "__main__":
    main()
