"""What the API refuses of a request's body, in the order of its fields."""

from typing import Any

from intent_assets_tests.loopback.anthropic_cache import TTL_S
from intent_assets_tests.loopback.anthropic_models import Model, model_of
from intent_assets_tests.loopback.anthropic_schemas import check_schema
from intent_assets_tests.loopback.anthropic_wire import VERSION, Json, invalid

MAX_BREAKPOINTS, MAX_STRICT_TOOLS = 4, 20
_SAMPLING = ("temperature", "top_p", "top_k")
_FIELDS = {
    *("model", "max_tokens", "messages", "system", "tools", "tool_choice", "output_config", "thinking", "cache_control", "metadata"),
    *("stop_sequences", "service_tier", "stream", "container", "diagnostics", "inference_geo", "speed", "user_profile_id"),
}
_EFFORTS = ("low", "medium", "high", "xhigh", "max")


def check_message(body: Any, version: str, *, counts_only: bool = False) -> Model:
    """Refuse a body of POST /v1/messages, or of count_tokens, as documented; gives its model."""
    if not isinstance(body, dict):
        raise invalid("Input should be a valid dictionary")
    model = model_of(body.get("model"))
    _check_fields(body, version, model)
    if not counts_only:
        _check_max_tokens(body.get("max_tokens"), model)
    _check_messages(body.get("messages"), model)
    _check_system(body.get("system"))
    _check_output_config(body.get("output_config"), model)
    _check_tools(body)
    _check_thinking(body, model)
    _check_breakpoints(body)
    return model


def _check_fields(body: Json, version: str, model: Model) -> None:
    for name in ("thinking", "tool_choice", "cache_control", "output_config", "metadata"):
        if not isinstance(body.get(name), dict | None):
            raise invalid(f"{name}: Input should be a valid dictionary")
    for name in _SAMPLING:
        if name in body and (version == VERSION or model.is_new):
            raise invalid(f"{name}: `{name}` is not supported in API version {VERSION}")
    unknown = sorted(set(body) - _FIELDS - set(_SAMPLING))
    if unknown:
        raise invalid(f"{unknown[0]}: Extra inputs are not permitted")
    if body.get("stop_sequences"):
        raise invalid("stop_sequences: this stand-in does not serve them")


def _check_max_tokens(max_tokens: Any, model: Model) -> None:
    if max_tokens is None:
        raise invalid("max_tokens: Field required")
    if not isinstance(max_tokens, int) or isinstance(max_tokens, bool) or max_tokens < 0:
        raise invalid("max_tokens: Input should be a valid integer, greater than or equal to 0")
    if max_tokens > model.max_output:
        raise invalid(f"max_tokens: {max_tokens} > {model.max_output}, which is the maximum allowed number of output tokens for {model.id}")


def _check_messages(messages: Any, model: Model) -> None:
    if not isinstance(messages, list):
        raise invalid("messages: Field required")
    if not messages:
        raise invalid("messages: at least one message is required")
    for n, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in ("user", "assistant"):
            raise invalid(f"messages.{n}.role: Input should be 'user' or 'assistant'")
        content = message.get("content")
        if not content:
            raise invalid(f"messages.{n}: all messages must have non-empty content")
        if not isinstance(content, str):
            _check_blocks(content, f"messages.{n}.content")
    if messages[-1]["role"] == "assistant" and model.is_new:
        raise invalid("This model does not support assistant message prefill. The conversation must end with a user message.")


def _check_blocks(blocks: Any, place: str) -> None:
    if not isinstance(blocks, list):
        raise invalid(f"{place}: Input should be a valid list")
    for n, block in enumerate(blocks):
        if not isinstance(block, dict) or "type" not in block:
            raise invalid(f"{place}.{n}.type: Field required")
        if block["type"] == "text" and not isinstance(block.get("text"), str):
            raise invalid(f"{place}.{n}.text.text: Field required")
        if block["type"] == "text" and not block["text"]:
            raise invalid(f"{place}.{n}: text content blocks must be non-empty")


def _check_system(system: Any) -> None:
    if system is not None and not isinstance(system, str):
        _check_blocks(system, "system")


def _check_output_config(config: Any, model: Model) -> None:
    if config is None:
        return
    if set(config) - {"effort", "format"}:
        raise invalid("output_config: Extra inputs are not permitted")
    effort = config.get("effort")
    if effort is not None and effort not in _EFFORTS:
        raise invalid(f"output_config.effort: Input should be one of {', '.join(_EFFORTS)}")
    if effort is not None and not model.is_new:
        raise invalid(f"output_config.effort: {model.id} does not support effort")
    shape = config.get("format")
    if shape is not None:
        if not isinstance(shape, dict) or shape.get("type") != "json_schema":
            raise invalid("output_config.format.type: Input should be 'json_schema'")
        check_schema(shape.get("schema"))


def _check_tools(body: Json) -> None:
    tools = body.get("tools") or []
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise invalid("tools: Input should be a valid list of dictionaries")
    if sum(bool(tool.get("strict")) for tool in tools) > MAX_STRICT_TOOLS:
        raise invalid(f"tools: at most {MAX_STRICT_TOOLS} strict tools")
    for n, tool in enumerate(tools):
        if not tool.get("name"):
            raise invalid(f"tools.{n}.name: Field required")


def thinks(body: Json, model: Model) -> bool:
    """Whether the model thinks before it answers."""
    kind = (body.get("thinking") or {}).get("type")
    return kind == "enabled" if model.thinking == "asked" else kind != "disabled"


def _check_thinking(body: Json, model: Model) -> None:
    given = body.get("thinking") or {}
    kind, effort = given.get("type"), (body.get("output_config") or {}).get("effort")
    if kind not in (None, "adaptive", "enabled", "disabled", "between_tools"):
        raise invalid("thinking.type: Input should be 'adaptive', 'enabled', 'disabled' or 'between_tools'")
    if kind == "disabled" and model.thinking == "always":
        raise invalid(f"thinking: thinking cannot be disabled on {model.id}")
    if kind == "disabled" and effort in ("xhigh", "max"):
        raise invalid(f"thinking: thinking cannot be disabled at effort {effort}")
    if kind == "enabled" and model.is_new:
        raise invalid(f"thinking.type: 'enabled' is not supported on {model.id}; use 'adaptive'")
    budget = given.get("budget_tokens")
    if kind == "enabled" and not (isinstance(budget, int) and 1024 <= budget < body.get("max_tokens", 1 << 30)):
        raise invalid("thinking.enabled.budget_tokens: Input should be at least 1024 and less than max_tokens")
    if (body.get("tool_choice") or {}).get("type") in ("any", "tool") and thinks(body, model):
        raise invalid("Thinking may not be enabled when tool_choice forces tool use.")


def _check_breakpoints(body: Json) -> None:
    """At most four, well formed, and none of an hour after one of five minutes."""
    system = body.get("system")
    holders = [*(body.get("tools") or ()), *(system if isinstance(system, list) else ())]
    for message in body["messages"]:
        holders += message["content"] if isinstance(message["content"], list) else ()
    ttls = []
    for holder in [*holders, body]:
        control = holder.get("cache_control")
        if control is None:
            continue
        if not isinstance(control, dict) or control.get("type") != "ephemeral" or str(control.get("ttl", "5m")) not in TTL_S:
            raise invalid("cache_control: expected {'type': 'ephemeral', 'ttl': '5m' or '1h'}")
        ttls.append(control.get("ttl", "5m"))
    if len(ttls) > MAX_BREAKPOINTS:
        raise invalid(f"A maximum of {MAX_BREAKPOINTS} blocks with cache_control may be provided. Found {len(ttls)}.")
    if ttls != sorted(ttls):  # "1h" sorts before "5m"
        raise invalid("cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block")
