"""From latent variables to inputs: shapes, and that every weight has a part in them."""

from __future__ import annotations

import pytest
import torch

from goldvein.models._decoder import ImageDecoder, one_hidden_layer, vector_decoder


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 28, 28), (3, 33, 20)])
def test_images_have_any_side(shape: tuple[int, int, int]) -> None:
    decoder = ImageDecoder(5, shape)
    image = decoder(torch.randn(2, 5))
    assert image.shape == (2, *shape)
    image.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in decoder.parameters() if p.dim() > 1)


@pytest.mark.parametrize("shape", [(7,), (2, 3, 4)])
def test_vectors(shape: tuple[int, ...]) -> None:
    decoder = vector_decoder(5, 6, shape)
    z = torch.randn(2, 5)
    assert decoder(z).shape == (2, *shape)
    first, last = decoder[0], decoder[2]
    by_hand = (z @ first.weight.T + first.bias).clamp(min=0) @ last.weight.T + last.bias
    torch.testing.assert_close(decoder(z).flatten(1), by_hand)


def test_one_hidden_layer() -> None:
    assert [tuple(p.shape) for p in one_hidden_layer(5, 6, 7).parameters()] == [(6, 5), (6,), (7, 6), (7,)]
