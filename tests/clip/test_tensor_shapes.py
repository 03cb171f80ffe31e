"""Architectures from the shapes of tensors. That files are recognised by them: nodes/test_files."""

from __future__ import annotations

from pez_core.clip.tensor_shapes import architecture_of_shapes
from pez_core.clip.weights import HUGGING_FACE

TABLE = "text_model.embeddings.token_embedding.weight"


def test_the_family_tells_the_activation() -> None:
    """Files do not say it: OpenAI's CLIP-L has quick_gelu, H and bigG have gelu."""
    shapes = {
        width: {
            TABLE: (49408, width),
            "text_model.embeddings.position_embedding.weight": (77, width),
            "text_model.encoder.layers.0.mlp.fc1.weight": (4 * width, width),
            "text_projection.weight": (width, width),
        }
        for width in (768, 1024, 1280)
    }
    found = [architecture_of_shapes(tensors.get, "", HUGGING_FACE) for tensors in shapes.values()]
    assert [(a.activation, a.heads, a.mlp_width, a.layers) for a in found if a] == [
        ("quick_gelu", 12, 3072, 1),
        ("gelu", 16, 4096, 1),
        ("gelu", 20, 5120, 1),
    ]
