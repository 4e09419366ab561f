"""What Gemma 3n and Gemma 4 have in common: the tensors of a language model with embeddings per layer."""

from __future__ import annotations

from edgekit.convert.names import EMBEDDINGS, HEAD
from edgekit.convert.tables import Row

MODEL_ROWS = {
    EMBEDDINGS: Row("token_embd.weight", "* hidden"),
    # Only where a checkpoint has an output matrix of its own.
    HEAD: Row("output.weight", "* hidden"),
    "embed_tokens_per_layer.weight": Row("per_layer_token_embd.weight", "* stacked"),
    "per_layer_model_projection.weight": Row("per_layer_model_proj.weight", "stacked hidden"),
    "per_layer_projection_norm.weight": Row("per_layer_proj_norm.weight", "per_layer"),
    "norm.weight": Row("output_norm.weight", "hidden"),
}
LAYER_ROWS = {
    "input_layernorm.weight": Row("attn_norm.weight", "hidden"),
    "self_attn.q_proj.weight": Row("attn_q.weight", "query hidden"),
    "self_attn.k_proj.weight": Row("attn_k.weight", "kv hidden"),
    "self_attn.v_proj.weight": Row("attn_v.weight", "kv hidden"),
    "self_attn.o_proj.weight": Row("attn_output.weight", "hidden query"),
    "self_attn.q_norm.weight": Row("attn_q_norm.weight", "head"),
    "self_attn.k_norm.weight": Row("attn_k_norm.weight", "head"),
    "post_attention_layernorm.weight": Row("post_attention_norm.weight", "hidden"),
    "pre_feedforward_layernorm.weight": Row("ffn_norm.weight", "hidden"),
    "mlp.gate_proj.weight": Row("ffn_gate.weight", "inner hidden"),
    "mlp.up_proj.weight": Row("ffn_up.weight", "inner hidden"),
    "mlp.down_proj.weight": Row("ffn_down.weight", "hidden inner"),
    "post_feedforward_layernorm.weight": Row("post_ffw_norm.weight", "hidden"),
    "per_layer_input_gate.weight": Row("inp_gate.weight", "per_layer hidden"),
    "per_layer_projection.weight": Row("proj.weight", "hidden per_layer"),
}
# transformers 5 leaves out what a layer that shares keys and values does not use; the releases keep it.
OF_KV = ("self_attn.k_proj.weight", "self_attn.v_proj.weight", "self_attn.k_norm.weight")
