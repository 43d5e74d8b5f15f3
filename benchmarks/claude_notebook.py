"""What the TnT-LLM notebook sends for the same data: so many calls, all of the taxonomy in each, nothing shared between them.

After the LangGraph tutorial of TnT-LLM: every trace of its sample is summarised in a call of its own; minibatches of 200 summaries
each have the whole taxonomy written anew (generate, then update), a random one reviews it; then one call labels one trace with the whole
taxonomy before it. Models as in our runs. The prompts here are as long as the tutorial's, in words of our own.
"""

import json
import random
from collections.abc import Mapping

import anthropic

from benchmarks.results import Row
from intent_assets_tests.loopback.anthropic import AnthropicStandIn
from intent_assets_tests.loopback.anthropic_teacher import AskedRequest

SMALL, LARGE = "claude-haiku-5-5", "claude-opus-5-5"
BATCH = 200
SUMMARISE = (
    "Summarise the conversation below for a later step that sorts conversations by what users want. Write at most 20 words, and at most 10 "
    "words on how the summary was reached. Answer in two elements, summary and explanation.\n\n"
)
REVISE = (
    "You revise a table of clusters for the purpose of understanding what users ask for. Rate the table as it is with the data below, then "
    "write the whole table anew: each cluster with id, name of at most 10 words and description of at most 30 words, no two of them alike, "
    "no cluster that is other or unknown, at most 100 clusters. Explain your rating in at most 100 words.\n\n"
)
LABEL = (
    "Choose the one category of the table that fits the conversation below best. First explain in at most 30 words, then give the name of "
    "the category. If none fits, answer Other.\n\n"
)


def notebook_usd(gold: Mapping[str, str], *, n_traces: int, n_labels: int) -> Row:
    """Send what the notebook sends for a sample of the texts; dollars, calls, dollars per 1,000 labels."""
    texts = random.Random(0).sample(sorted(gold), max(n_traces, n_labels))
    table = "\n".join(
        f"{number} | {name.replace('_', ' ')} | Users who want help with {name.replace('_', ' ')}, and nothing that is near it."
        for number, name in enumerate(sorted(set(gold.values())))
    )

    def answer(asked: AskedRequest) -> str:
        if asked.user.startswith(SUMMARISE[:20]):
            words = asked.user.removeprefix(SUMMARISE).split()
            return f"<summary>{' '.join(words[:20])}</summary><explanation>The user says so in the first message.</explanation>"
        if asked.user.startswith(REVISE[:20]):
            return f"<explanation>{'It misses some of what is shown. ' * 10}</explanation><table>{table}</table>"
        return (
            "<explanation>The user asks for this and for nothing else, as the message says.</explanation><category>card arrival</category>"
        )

    with AnthropicStandIn(answer) as server:
        client = anthropic.Anthropic(api_key=server.api_key, base_url=server.url)
        for text in texts[:n_traces]:
            _call(client, SMALL, SUMMARISE + text, 300)
        for start in range(0, n_traces, BATCH):
            _call(client, LARGE, f"{REVISE}{table}\n\n{json.dumps(texts[start : start + BATCH])}", 16_000)
        _call(client, LARGE, f"{REVISE}{table}\n\n{json.dumps(texts[:BATCH])}", 16_000)  # the review
        before = server.cost_usd()
        for text in texts[:n_labels]:
            _call(client, SMALL, f"{LABEL}{table}\n\n{text}", 300)
        usd = server.cost_usd()
        return {"usd": usd, "usd_per_1000_labels": 1_000 * (usd - before) / n_labels, "n_requests": len(server.billed)}


def _call(client: anthropic.Anthropic, model: str, text: str, max_tokens: int) -> None:
    thinking = {"thinking": {"type": "disabled"}} if model == SMALL else {}
    client.messages.create(model=model, max_tokens=max_tokens, messages=[{"role": "user", "content": text}], **thinking)  # type: ignore[call-overload]
