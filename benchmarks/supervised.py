"""Our classifier against plain logistic regression on the same vectors: accuracy, calibration, out-of-scope.

    python benchmarks/supervised.py --data ../shared/datasets [--json FILE]

Sets: BANKING77 and CLINC150 in their official splits, full and 10-shot (mean of three draws), and 1,000 random labels with
10 % of them wrong. Out of scope: CLINC150's own, and BANKING77 with 27 of 77 intents left out of training. Training never
sees an out-of-scope row or a test row.
"""

import argparse
import gzip
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from intent_assets.adapters.embedder import make_embedder
from intent_assets.intents.classifier import fit
from intent_assets.intents.evaluation import calibration_error
from intent_assets.intents.thresholds import decide

SEEDS = (0, 1, 2)
OOS = "oos"


@dataclass(frozen=True)
class Task:
    """Train on (x, y), test on (test_x, test_y); `outside` are vectors without an intent."""

    name: str
    x: np.ndarray
    y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray
    outside: np.ndarray


def read(data: Path, name: str, cache: Path) -> dict[str, np.ndarray]:
    with gzip.open(data / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    vectors = make_embedder("default", cache).encode([row["text"] for row in rows])
    return {"x": vectors, "y": np.array([r["intent"] for r in rows]), "split": np.array([r["split"] for r in rows])}


def shots(y: np.ndarray, n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.permutation(np.flatnonzero(y == intent))[:n] for intent in np.unique(y)])


def tasks_of(name: str, rows: dict[str, np.ndarray]) -> Iterator[Task]:
    x, y, split = rows["x"], rows["y"], rows["split"]
    train, test = (split == "train") & (y != OOS), (split == "test") & (y != OOS)
    outside = x[(split == "test") & (y == OOS)]
    tx, ty, qx, qy = x[train], y[train], x[test], y[test]
    yield Task(f"{name} full", tx, ty, qx, qy, outside)
    for seed in SEEDS:
        chosen = shots(ty, 10, seed)
        yield Task(f"{name} 10-shot", tx[chosen], ty[chosen], qx, qy, outside)
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        chosen = rng.permutation(len(ty))[:1000]
        noisy = ty[chosen].copy()
        wrong = rng.random(1000) < 0.1
        noisy[wrong] = rng.choice(np.unique(ty), wrong.sum())
        yield Task(f"{name} 1,000, 10 % wrong", tx[chosen], noisy, qx, qy, outside)
    if not len(outside):
        known = np.random.default_rng(0).permutation(np.unique(ty))[:50]
        keep, inside = np.isin(ty, known), np.isin(qy, known)
        yield Task(f"{name} 50 of 77 intents", tx[keep], ty[keep], qx[inside], qy[inside], qx[~inside])


def plain(task: Task) -> dict[str, Any]:
    from sklearn.linear_model import LogisticRegression

    start = time.perf_counter()
    model = LogisticRegression(C=10, max_iter=300).fit(task.x, task.y)
    spent = time.perf_counter() - start
    probs = model.predict_proba(task.test_x)
    correct = model.classes_[probs.argmax(axis=1)] == task.test_y
    found = {"accuracy": correct.mean(), "ece": calibration_error(probs.max(axis=1), correct), "fit_s": spent}
    inside, outside = (model.decision_function(v).max(axis=1) if len(v) else np.empty(0) for v in (task.test_x, task.outside))
    return found | scope(inside, outside)


def ours(task: Task) -> dict[str, Any]:
    start = time.perf_counter()
    model = fit(task.x, task.y.tolist(), seed=0)
    spent = time.perf_counter() - start
    found = model.predict([""] * len(task.test_x), task.test_x)
    correct = np.array(found.intent_ids) == task.test_y
    tagged = ~decide(found, model.min_confidence, model.min_in_scope).abstained
    result = {
        "accuracy": correct.mean(),
        "ece": calibration_error(found.confidence, correct),
        "fit_s": spent,
        "coverage": tagged.mean(),
        "precision_tagged": correct[tagged].mean(),
        "accuracy_expected": model.evaluation.accuracy if model.evaluation else None,
        "coverage_expected": model.evaluation.coverage if model.evaluation else None,
        "neighbour_weight": model.calibration.neighbour_weight,
    }
    if not len(task.outside):
        return result
    far = model.predict([""] * len(task.outside), task.outside)
    abstained = decide(far, model.min_confidence, model.min_in_scope).abstained
    return result | scope(found.in_scope, far.in_scope) | {"oos_abstained": abstained.mean()}


def scope(inside: np.ndarray, outside: np.ndarray) -> dict[str, float]:
    """AUROC, and the out-of-scope recall at the cut-off that keeps 97 % of the in-scope test rows."""
    if not len(outside):
        return {}
    from sklearn.metrics import roc_auc_score

    truth = np.r_[np.ones(len(inside)), np.zeros(len(outside))]
    recall = (outside < np.quantile(inside, 0.03)).mean()
    return {"auroc": roc_auc_score(truth, np.r_[inside, outside]), "oos_recall_at_97": recall}


def mean_rows(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    merged = []
    for key in dict.fromkeys((run["task"], run["method"]) for run in runs):
        same = [run for run in runs if (run["task"], run["method"]) == key]
        numbers = [name for name in same[0] if name not in ("task", "method")]
        means = {name: round(float(np.mean([run[name] for run in same])), 4) for name in numbers}
        merged.append({"task": key[0], "method": key[1], "n_draws": len(same), **means})
    return merged


def table(rows: list[dict[str, Any]]) -> str:
    columns = ("accuracy", "ece", "coverage", "precision_tagged", "auroc", "oos_recall_at_97", "oos_abstained", "fit_s")
    lines = ["| task | method | " + " | ".join(columns) + " |", "|---" * (len(columns) + 2) + "|"]
    for row in rows:
        values = [f"{row[name]:.4f}" if name in row else "" for name in columns]
        lines.append(f"| {row['task']} | {row['method']} | " + " | ".join(values) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "intent_assets")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    runs = []
    for name in ("banking77", "clinc150"):
        for task in tasks_of(name, read(args.data, name, args.cache)):
            runs.append({"task": task.name, "method": "logistic regression C=10", **plain(task)})
            runs.append({"task": task.name, "method": "intent_assets", **ours(task)})
    rows = mean_rows(runs)
    print(table(rows))
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
