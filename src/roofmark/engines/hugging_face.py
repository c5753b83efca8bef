"""A causal language model of Hugging Face transformers as an engine, in one of four modes.

In: a config (its weights are drawn at random, on the device, so that no checkpoint is needed to
measure a shape) or a checkpoint's folder. Out: an engine that decodes greedily, batch 1. The modes
differ in one thing each:

    uncached  no cache: every step runs the whole text again
    dynamic   the cache grows, the host launches every kernel
    static    the cache has its full size from the begin
    compile   static, and the decode step is compiled (torch.compile, no graphs)
    graphs    static, and the decode step is one CUDA graph

Masks and positions are handed to the model, so nothing in a step depends on a value that only the
device knows. A token is returned as a Python integer: the host has it.
"""

import inspect
from functools import cached_property
from importlib.metadata import version
from typing import Any, Literal

Mode = Literal["uncached", "dynamic", "static", "compile", "graphs"]
MODES: tuple[Mode, ...] = ("uncached", "dynamic", "static", "compile", "graphs")
_STATIC = ("static", "compile", "graphs")


class HuggingFace:
    """An engine around `AutoModelForCausalLM`."""

    def __init__(
        self,
        config: dict[str, Any] | str,
        *,
        device: str,
        mode: Mode = "dynamic",
        context: int = 2048,
        dtype: str = "bfloat16",
    ) -> None:
        """Make the model.

        config: fields of a transformers config, `model_type` among them, for random weights (seed
        0, so that legs have the same); or the path of a checkpoint. context: most tokens of prompt
        and answer together (static caches have this size). dtype: torch's name.

        Raises: ValueError for a mode that the device does not have.
        """
        import torch

        if mode not in MODES or (mode == "graphs" and device != "cuda"):
            known = ", ".join(each for each in MODES if each != "graphs" or device == "cuda")
            raise ValueError(f"mode {mode!r} on {device}: choose one of {known}")
        self._torch, self._device, self._mode, self.context = torch, device, mode, context
        self._checkpoint = config if isinstance(config, str) else ""
        self.model = _make(config, device, getattr(torch, dtype))
        takes = inspect.signature(self.model.forward).parameters
        # What versions of transformers call the cache; the fourth is told where a token goes.
        self._cache_name = "cache" if "cache" in takes else "past_key_values"
        self._told_places = version("transformers").startswith("4.")
        self._token = torch.zeros((1, 1), dtype=torch.long, device=device)
        self._place = torch.zeros((1, 1), dtype=torch.long, device=device)
        self._places = torch.arange(context, device=device)
        self._cache: Any = None
        self._graph: Any = None
        self._captured: Any = None
        self._logits: Any = None
        self._forward = self._decode
        self._text: list[int] = []
        self.length = 0
        if mode in _STATIC:
            self._cache = self._static_cache()
        if mode == "compile":
            self._forward = torch.compile(self._decode, fullgraph=True, dynamic=False)

    # --- what a worker asks ----------------------------------------------------------------------
    def reset(self) -> None:
        """Forget the last prompt; not timed."""
        if self._mode not in _STATIC:
            self._cache = None
        else:
            # What was made in inference mode can be changed nowhere else.
            with self._torch.inference_mode():
                # Stale keys are masked; only the length has to go back, in place.
                for length in self._lengths():
                    length.zero_()
        self.length = 0

    def prefill(self, ids: list[int]) -> int:
        """Run a prompt and return the first token."""
        torch, count = self._torch, len(ids)
        self._text = list(ids)
        if count >= self.context:
            raise ValueError(f"a prompt of {count} tokens does not fit in context {self.context}")
        with torch.inference_mode():
            tokens = torch.tensor([ids], dtype=torch.long, device=self._device)
            places = self._places[:count].unsqueeze(0)
            mask = None
            if self._mode in _STATIC:
                mask = (self._places <= places[0][:, None])[None, None]
            out = self._run(tokens, places, mask)
            if self._mode == "dynamic":
                self._cache = _cache_of(out)
            self._logits = out.logits[:, -1]
            self._place.fill_(count)
            self.length = count
            return self._next()

    def step(self) -> int:
        """Feed the last token and return the next one."""
        if self.length >= self.context:
            raise ValueError(f"the answer does not fit in context {self.context}")
        with self._torch.inference_mode():
            if self._mode == "uncached":
                self._again()
            elif self._mode == "graphs":
                self._replay()
            else:
                self._logits = self._forward()
            self.length += 1
            return self._next()

    def force(self, token: int) -> None:
        """Feed this token next instead of the engine's own."""
        with self._torch.inference_mode():
            self._token.fill_(token)

    @property
    def logits(self) -> Any:
        """Logits before the last token: [vocabulary] float32, on the host."""
        return self._logits[0].float().cpu()

    @cached_property
    def tokenizer(self) -> Any:
        """The checkpoint's own tokenizer; None for random weights, which write no words."""
        if not self._checkpoint:
            return None
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self._checkpoint)

    @property
    def ends(self) -> set[int]:
        """The tokens with which the model ends a text."""
        told = [self.model.generation_config.eos_token_id, self.model.config.eos_token_id]
        told.append(getattr(self.tokenizer, "eos_token_id", None))
        several = [each if isinstance(each, list) else [each] for each in told]
        return {token for each in several for token in each if token is not None}

    # --- inside ----------------------------------------------------------------------------------
    def _next(self) -> int:
        chosen = self._logits.argmax(-1, keepdim=True)
        self._token.copy_(chosen)
        return int(chosen.item())

    def _run(self, tokens: Any, places: Any, mask: Any) -> Any:
        return self.model(
            input_ids=tokens,
            position_ids=places,
            attention_mask=mask,
            use_cache=self._mode != "uncached",
            logits_to_keep=1,
            **{self._cache_name: self._cache},
            **({"cache_position": places[0]} if self._told_places else {}),
        )

    def _decode(self) -> Any:
        """One step from `_token` at `_place`; the place moves on."""
        mask = None
        if self._mode in _STATIC:
            mask = (self._places <= self._place[0, 0])[None, None, None]
        logits = self._run(self._token, self._place, mask).logits[:, -1]
        self._place.add_(1)
        return logits

    def _again(self) -> None:
        """Run the whole text, the last token included."""
        self._text.append(int(self._token.item()))
        tokens = self._torch.tensor([self._text], dtype=self._torch.long, device=self._device)
        places = self._places[: len(self._text)].unsqueeze(0)
        self._logits = self._run(tokens, places, None).logits[:, -1]

    def _replay(self) -> None:
        self._graph = self._graph or self._capture()
        self._graph.replay()
        # Where the graph always writes; a prefill has put its own logits there meanwhile.
        self._logits = self._captured

    def _capture(self) -> Any:
        """Return one step as a graph; the state that its warm-up moved is put back."""
        torch = self._torch
        moved = [self._place, *self._lengths()]
        kept = [tensor.clone() for tensor in moved]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            self._decode()
            for tensor, value in zip(moved, kept, strict=True):
                tensor.copy_(value)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._captured = self._decode()
        return graph

    def _lengths(self) -> list[Any]:
        """Return each layer's count of tokens, where this version of transformers keeps one."""
        counts = (getattr(layer, "cumulative_length", None) for layer in self._cache.layers)
        return [count for count in counts if count is not None]

    def _static_cache(self) -> Any:
        from transformers import StaticCache

        cache = StaticCache(config=self.model.config, max_cache_len=self.context)
        with self._torch.inference_mode():
            # One token makes the layers' tensors, outside of anything that is captured or compiled.
            self._cache = cache
            self._run(self._token, self._place, (self._places <= 0)[None, None, None])
            cache.reset()
        return cache


def _make(config: dict[str, Any] | str, device: str, dtype: Any) -> Any:
    """Return the model in evaluation mode, its weights on the device."""
    import torch

    try:
        from transformers import AutoConfig, AutoModelForCausalLM
    except ImportError as error:
        raise ImportError(
            f"{error}. The Hugging Face engine needs transformers: pip install 'roofmark[serving]'"
        ) from error
    if isinstance(config, str):
        loaded: Any = AutoModelForCausalLM.from_pretrained(config, dtype=dtype)
        return loaded.to(device).eval()
    fields = dict(config)
    made = AutoConfig.for_model(fields.pop("model_type"), **fields)
    torch.manual_seed(0)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(made, dtype=dtype)
    return model.eval()


def _cache_of(out: Any) -> Any:
    return out["cache"] if "cache" in out else out["past_key_values"]
