"""What edgekit knows about one Gemma 4 variant and its files."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Shape:
    """The text model's shape, in the names of Hugging Face's `text_config`."""

    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    num_global_key_value_heads: int
    head_dim: int
    global_head_dim: int
    intermediate_size: int
    sliding_window: int
    # Every n-th layer attends to the whole context.
    full_attention_interval: int
    vocab_size: int
    num_kv_shared_layers: int = 0
    hidden_size_per_layer_input: int = 0
    use_double_wide_mlp: bool = False
    attention_k_eq_v: bool = False
    num_experts: int = 0
    top_k_experts: int = 0
    moe_intermediate_size: int = 0

    def is_sliding(self, layer: int) -> bool:
        """Return whether a layer attends to the sliding window only."""
        return (layer + 1) % self.full_attention_interval != 0

    def owns_cache(self, layer: int) -> bool:
        """Return whether a layer has keys and values of its own."""
        return layer < self.num_hidden_layers - self.num_kv_shared_layers

    def head_width(self, layer: int) -> int:
        """Return the width of one attention head of a layer."""
        return self.head_dim if self.is_sliding(layer) else self.global_head_dim

    @property
    def full_cache_width(self) -> int:
        """Return how many values one token's keys take in a layer that sees the whole context."""
        return self.num_global_key_value_heads * self.global_head_dim

    @property
    def sliding_cache_width(self) -> int:
        """Return how many values one token's keys take in a layer that sees the window."""
        return self.num_key_value_heads * self.head_dim

    def cache_width(self, layer: int) -> int:
        """Return how many values one token's keys take in a layer."""
        return self.sliding_cache_width if self.is_sliding(layer) else self.full_cache_width

    def feed_forward_width(self, layer: int) -> int:
        """Return the width of a layer's dense MLP; double on the KV-shared layers of E2B."""
        return self.intermediate_size * (2 if self.use_double_wide_mlp and not self.owns_cache(layer) else 1)


@dataclass(frozen=True)
class Tower:
    """The widths of a vision or audio encoder that decide its working memory."""

    hidden_size: int
    intermediate_size: int
    patches_per_token: int = 1
    maximum_tokens: int = 0
    num_attention_heads: int = 1
    # Whether the inputs and outputs of every linear layer are bounded (use_clipped_linears).
    clipped: bool = False


@dataclass(frozen=True)
class Drafter:
    """The shape of a variant's MTP assistant, which has no cache of its own."""

    hidden_size: int
    intermediate_size: int
    num_attention_heads: int
    num_hidden_layers: int = 4
    # Clusters of tokens that are ranked first; llama.cpp's converter may leave them out.
    num_centroids: int = 0


@dataclass(frozen=True)
class ModelFile:
    """One published GGUF; `bytes` and `file` are None where nobody wrote them down."""

    quantization: str
    repo: str
    file: str | None = None
    bytes: int | None = None
    # Trained to be stored at Q4_0: only ever used as it is.
    quantization_aware: bool = False
    # Where the publisher departs from llama-quantize's choice for the two embedding tables.
    token_embedding: str | None = None
    per_layer_embedding: str | None = None
    # The same for other tensors: role and type.
    other_types: tuple[tuple[str, str], ...] = ()
    # Whether it holds the key and value projections of KV-shared layers, which nothing multiplies by.
    unused_projections: bool = True
    # Of a file at hand: the type of every tensor, by name, as it is.
    tensor_types: tuple[tuple[str, str], ...] = ()
    source: str = ""


@dataclass(frozen=True)
class Variant:
    """A Gemma 4 variant: its shape, limits, published scores and files."""

    name: str
    model: str
    repo: str
    modalities: tuple[str, ...]
    context: int
    causal_images: bool
    shape: Shape
    sampling: dict[str, float]
    # Percent, by benchmark.
    benchmarks: dict[str, float]
    files: tuple[ModelFile, ...]
    projectors: tuple[ModelFile, ...]
    vision: Tower | None = None
    audio: Tower | None = None
    drafter: Drafter | None = None
    # What to know before using a modality, by modality.
    notes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class QuantizationCosts:
    """Relative loss of quality by quantization."""

    unquantized: float
    increase: dict[str, float]
    quantization_aware: float
    same_as: dict[str, str] = field(default_factory=dict)

    def standard_name(self, quantization: str) -> str:
        """Return the llama-quantize mixture nearest to a publisher's own one."""
        return self.same_as.get(quantization, quantization)

    def loss(self, file: ModelFile) -> float:
        """Return the expected share of quality that a file loses against BF16; the worst known where none is known."""
        known = self.increase.get(self.standard_name(file.quantization), max(self.increase.values()))
        increase = known / self.unquantized
        return increase * (self.quantization_aware if file.quantization_aware else 1.0)
