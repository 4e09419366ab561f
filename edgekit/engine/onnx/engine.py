"""A model in this process: a folder of ONNX files through onnxruntime."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.engine.check import check_trained
from edgekit.engine.media import Picture
from edgekit.engine.onnx.adapter import read_adapter
from edgekit.engine.onnx.decoder import Decoder
from edgekit.engine.onnx.encoders import load_encoders
from edgekit.engine.onnx.folder import PARTS, OnnxFolder, Part, check_folder, check_precision
from edgekit.engine.onnx.runtime import Graph, Run, check_version, stoppable
from edgekit.engine.onnx.sampling import LogitsSampler
from edgekit.engine.onnx.template import chat_template
from edgekit.engine.onnx.vocabulary import OnnxVocabulary
from edgekit.engine.prompt import Prompt, entries
from edgekit.engine.threads import physical_cores
from edgekit.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from edgekit.engine.media import Sound
    from edgekit.engine.projector import MediaInput
    from edgekit.engine.sampling import Sampling
    from edgekit.fit.onnx_plan import OnnxPlan


class OnnxEngine:
    """A loaded folder with what it has read; one thread at a time may use it."""

    def __init__(self, plan: OnnxPlan, folder: OnnxFolder, graphs: dict[Part, Graph], started: float) -> None:
        self._plan, self._folder = plan, folder
        self.vocabulary = OnnxVocabulary(folder)
        decoder = graphs["decoder_model_merged"]
        adapter = read_adapter(plan.adapter, decoder) if plan.adapter else {}
        self.decoder = Decoder(graphs["embed_tokens"], decoder, plan.context, self.vocabulary.size, adapter)
        self._encoders = load_encoders(folder, graphs)
        self._media_tokens: dict[str, int] = {kind: encoder.token for kind, encoder in self._encoders.items()}
        self._load_seconds = self._unclaimed = time.perf_counter() - started

    @classmethod
    def open(cls, plan: OnnxPlan, on_progress: Callable[[float], None] | None = None) -> OnnxEngine:
        """Load what the plan names; `on_progress` hears fractions from 0 to 1.

        Raises FileError where a file is missing or damaged, UnsupportedError where onnxruntime is not installed or the
        context is longer than the model's own.
        """
        started = time.perf_counter()
        folder = check_folder(plan.model)
        check_precision(folder, plan.precision)
        check_trained(folder.path.name, folder.trained_context, plan.context)
        if folder.text_config.get("num_kv_shared_layers"):
            check_version()
        files = {part: path for part in PARTS if (path := folder.find(part, plan.precision))}
        graphs: dict[Part, Graph] = {}
        for number, (part, path) in enumerate(files.items(), 1):
            graphs[part] = Graph(path, plan.provider, plan.threads or physical_cores())
            if on_progress:
                on_progress(number / len(files))
        return cls(plan, folder, graphs, started)

    def close(self) -> None:
        """Give the memory back; harmless when done twice."""
        # onnxruntime's sessions end with what holds them.
        self.__dict__.pop("decoder", None)
        self.__dict__.pop("_encoders", None)

    def __enter__(self) -> OnnxEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def plan(self) -> OnnxPlan:
        """Return the plan that was opened."""
        return self._plan

    @property
    def model_path(self) -> Path:
        """Return the folder."""
        return self._plan.model

    @property
    def name(self) -> str:
        """Return the folder's name."""
        return self._plan.model.resolve().name

    @property
    def description(self) -> str:
        """Return the architecture, size and precision."""
        size = self._folder.bytes(self._plan.precision) / (1 << 30)
        return f"{self._folder.config['model_type']} {size:.1f}GiB ONNX {self._plan.precision}"

    @property
    def context(self) -> int:
        """Return how many tokens the cache may hold."""
        return self._plan.context

    def claim_load_seconds(self) -> float:
        """Return how long loading took, once: the first answer had to wait for it, later ones did not."""
        seconds, self._unclaimed = self._unclaimed, 0.0
        return seconds

    @cached_property
    def chat_template(self) -> str:
        """Return the Jinja template beside the model."""
        return chat_template(self._folder)

    @property
    def takes_pictures(self) -> bool:
        """Return whether there is a vision encoder."""
        return "image" in self._encoders

    @property
    def takes_sound(self) -> bool:
        """Return whether there is an audio encoder."""
        return "audio" in self._encoders

    @property
    def takes_thinking(self) -> bool:
        """Return whether the template can ask for a thought channel."""
        return "enable_thinking" in self.chat_template

    @property
    def takes_grammars(self) -> bool:
        """Return False: the sampler for them is llama.cpp's."""
        return False

    @property
    def media_hint(self) -> str:
        """Return what would let the model take pictures and sounds."""
        return ": there is no such encoder in its folder onnx"

    def prepare(self, media: Picture | Sound) -> MediaInput:
        """Return how a picture or a sound stands in a prompt; UnsupportedError where the model takes none."""
        kind = "image" if isinstance(media, Picture) else "audio"
        if kind not in self._encoders:
            raise UnsupportedError(f"{self.model_path} takes nothing of this kind{self.media_hint}")
        return self._encoders[kind].prepare(media)

    def encode(self, media: MediaInput, run: Run | None = None) -> np.ndarray[Any, Any]:
        """Return embeddings of shape (length, width of the model), float32; computed once per content."""
        return self._encoders[media.kind].encode(media, run or Run())

    def read(self, prompt: Prompt, stop: threading.Event | None = None) -> Iterator[int]:
        """Compute a prompt; yields how many tokens are in the cache, first those that were there already.

        Raises StoppedError when `stop` is set.
        """
        yield self.decoder.keep_common(entries(prompt))
        with stoppable(stop) as run:
            yield from self.decoder.read(prompt, self._media_tokens, partial(self.encode, run=run), run)

    def write(self, sampling: Sampling, stop: threading.Event | None = None) -> Iterator[int]:
        """Continue what was read, token by token; the token that ends the turn comes too, as the last.

        Ends after `max_tokens` and at the end of the context; a constraint is left unheeded. Raises StoppedError when
        `stop` is set.
        """
        left = self.context - len(self.decoder)
        if sampling.max_tokens is not None:
            left = min(left, sampling.max_tokens)
        sampler = LogitsSampler(sampling, self.vocabulary.suppressed())
        with stoppable(stop) as run:
            while left > 0:
                token = sampler.next(self.decoder.logits)
                yield token
                left -= 1
                if not left or self.vocabulary.ends(token):
                    return
                self.decoder.append(token, run)

    def save_state(self, name: str, prompt: Prompt) -> bool:
        """Return False: reading again is what an ONNX folder does."""
        return False

    def load_state(self, name: str) -> bool:
        """Return False: nothing was kept."""
        return False

    def logits(self) -> np.ndarray[Any, Any]:
        """Return the logits after the token computed last, float32, one for each token of the vocabulary."""
        return self.decoder.logits.copy()
