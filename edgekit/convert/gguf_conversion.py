"""A checkpoint and its adapters as GGUF files with their Modelfile."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gguf import GGMLQuantizationType, Keys

from edgekit.catalog.recipe import Choices, Recipe
from edgekit.convert.adapter import Adapters
from edgekit.convert.checkpoint import Checkpoint
from edgekit.convert.folder import check_replaceable, named, output_folder
from edgekit.convert.general import general, own
from edgekit.convert.imatrix import read_imatrix
from edgekit.convert.keys import Value
from edgekit.convert.merging import Merging
from edgekit.convert.mixture import check_quantization
from edgekit.convert.model import NO_TEMPLATE
from edgekit.convert.modelfile import Modelfile
from edgekit.convert.models import open_model
from edgekit.convert.ollama import dialect, sampling
from edgekit.convert.output import Output
from edgekit.convert.plan import TensorPlan
from edgekit.convert.progress import Progress
from edgekit.convert.shards import ShardWriter
from edgekit.convert.stream import Block, blocks, stream
from edgekit.convert.target import FileKind, Group, Target, target
from edgekit.convert.whole_file import whole_files
from edgekit.errors import FileError, UnsupportedError

if TYPE_CHECKING:
    from edgekit.convert.job import ConvertJob

_NO_EXPERTS = "MXFP4_MOE stores experts so and all else as Q8_0: this model has no experts, a smaller one is Q4_K_M"
_TOO_LARGE = "{name} has values above 65504, which F16 writes as infinity: choose BF16 instead"


class GgufConversion:
    """A job for GGUF files with its checkpoint and adapters open and every file's header made."""

    def __init__(self, job: ConvertJob, checkpoint: Checkpoint, adapters: Adapters) -> None:
        self.job = job
        self.checkpoint = checkpoint
        self.adapters = adapters
        adapters.prepare(checkpoint)
        self.model = open_model(checkpoint)
        self.source = _type_of(checkpoint)
        self.importance = read_imatrix(job.imatrix) if job.imatrix else None
        self.has_projector = self._wants_projector()
        self.merging = self._merging(checkpoint, adapters)
        self.own_keys = own(
            named(job.checkpoint).name,
            [(adapter.name, adapter.weight, adapter.sha256) for adapter in adapters.all],
            [entry.line for entry in self.merging.ledger()],
        )
        # What the headers of the files say, by kind.
        self._metadata: dict[FileKind, dict[str, Value]] = {}
        self.groups = self._groups()
        # A drafter answers nobody.
        self.modelfile = self._modelfile(self._metadata["text"]) if self.model.kind == "text" else None
        self.warnings = list(self.model.warnings)
        if self.model.kind == "text" and not self.model.has_template:
            self.warnings.append(NO_TEMPLATE)
        if any(_is_mxfp4_without_experts(target) for target in self._targets()):
            self.warnings.append(_NO_EXPERTS)
        check_replaceable([output.path for output in self.plan()])

    @property
    def tensors(self) -> int:
        """How many tensors are read and written."""
        return sum(len(group.plans) for group in self.groups)

    def tasks(self, merging: Merging) -> list[Block]:
        """Return what is to be made."""
        return list(blocks(self.groups, merging))

    def plan(self) -> list[Output]:
        """Return what would be written."""
        files = [
            Output(shard.path, target.kind, target.quantization, shard.bytes)
            for target in self._targets()
            for shard in target.shards
        ]
        if self.modelfile is not None:
            files.append(Output(self.job.out / "Modelfile", "modelfile", None, len(self.modelfile)))
        return files

    def run(self, progress: Progress, room: int) -> list[Output]:
        """Write all files, or none; blocks at work take at most `room` bytes."""
        plan = self.plan()
        # The Modelfile takes its name last: it must not name a file that is not there.
        with output_folder(self.job.out), whole_files([output.path for output in plan]) as files:
            writers = {target.path: ShardWriter(target.shards, files) for target in self._targets()}
            too_large = stream(self.tasks(self.merging), writers, room, progress)
            self.warnings += [_TOO_LARGE.format(name=name) for name in too_large]
            digests = {path: digest for writer in writers.values() for path, digest in writer.finish().items()}
            if self.modelfile is not None:
                modelfile = plan[-1].path
                files[modelfile].write(self.modelfile)
                digests[modelfile] = hashlib.sha256(self.modelfile).hexdigest()
            self.checkpoint.check_unchanged()
            self.adapters.check_unchanged()
        return [replace(output, sha256=digests[output.path]) for output in plan]

    def _wants_projector(self) -> bool:
        has_towers = self.model.has_projector
        if self.job.projector not in ("auto", "none") and not has_towers:
            raise UnsupportedError(f"{self.job.checkpoint} has no vision tower: leave out --projector")
        return has_towers and self.job.projector != "none"

    def _merging(self, checkpoint: Checkpoint, adapters: Adapters) -> Merging:
        unused = dict(self.model.shared_kv)
        deltas = adapters.deltas(checkpoint.weights, unused)
        plans = [*self.model.text, *(self.model.projector if self.has_projector else ())]
        written = {weight.name for plan in plans for weight in plan.weights} | unused.keys()
        unused |= dict.fromkeys(deltas.keys() - written, "it belongs to a tower, and no projector is written")
        return Merging(deltas, unused, adapters.refused)

    def _groups(self) -> list[Group]:
        names = list(dict.fromkeys(map(check_quantization, self.job.quantizations)))
        made = [self._group(self.model.kind, names, self.model.text, self.model.text_metadata())]
        if self.has_projector:
            self.model.check_towers()
            name = self.model.projector_type(self.job.projector, self.source.name)
            made.append(self._group("projector", [name], self.model.projector, self.model.projector_metadata()))
        return made

    def _group(self, kind: FileKind, names: Sequence[str], plans: list[TensorPlan], shape: dict[str, Value]) -> Group:
        job = self.job
        label = job.name or (job.file_name if job.adapters else None)
        metadata = {
            **shape,
            **general(named(job.checkpoint), label, plans),
            **self.own_keys,
        }
        self._metadata[kind] = metadata
        prefix = "mmproj-" if kind == "projector" else ""
        paths = {name: job.out / f"{prefix}{job.file_name}-{name}.gguf" for name in names}
        choices, unused = Choices() if kind == "projector" else job.choices, self.model.shared_kv
        limit = None if kind == "projector" else job.split_size
        recipes = {path: Recipe(name, choices=choices) for name, path in paths.items()}
        made = (
            target(path, kind, recipe, self.source, plans, metadata, self.importance, unused, limit)
            for path, recipe in recipes.items()
        )
        return Group(tuple(plans), tuple(made))

    def _modelfile(self, metadata: dict[str, Value]) -> bytes:
        first = {target.kind: [shard.path.name for shard in target.shards] for target in reversed(self._targets())}
        model, *parts = first["text"]
        about = {key: value.items[0] for key, value in metadata.items() if not value.is_array}
        template = about.get(Keys.Tokenizer.CHAT_TEMPLATE)
        made = Modelfile(
            model,
            first["projector"][0] if "projector" in first else None,
            dialect(about, template if isinstance(template, str) else None),
            parameters=sampling(about),
            parts=tuple(parts),
        )
        return made.text().encode("utf-8")

    def _targets(self) -> list[Target]:
        return [target for group in self.groups for target in group.targets]


def _is_mxfp4_without_experts(target: Target) -> bool:
    types = {tensor.type for tensor in target.tensors}
    return target.quantization == "MXFP4_MOE" and GGMLQuantizationType.MXFP4 not in types


def _type_of(checkpoint: Checkpoint) -> GGMLQuantizationType:
    """Return the type of the checkpoint's first matrix: what its config says may differ from what it holds."""
    for weight in checkpoint.weights.values():
        if len(weight.shape) >= 2:
            weight.file.dtype(weight.name)
            return GGMLQuantizationType[weight.dtype]
    raise FileError(f"{checkpoint.directory} holds no matrix: download the whole checkpoint")
