"""What is added to the embeddings of either kind of encoder, and to what attention compares."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from ietool.nn.attention import CrossAttention
from ietool.nn.encoder import EncoderConfig, PretrainedEncoder, make_encoder
from tests.tiny_encoder import make_encoder_folder


@pytest.fixture(params=["characters", "pretrained"])
def encoder(request: pytest.FixtureRequest, tmp_path: Path) -> torch.nn.Module:
    torch.manual_seed(2)
    if request.param == "characters":
        config = EncoderConfig(characters=20, hidden_size=8, dilations=[1, 2], positions=4)
    else:
        from transformers import AutoConfig

        own = AutoConfig.from_pretrained(make_encoder_folder(tmp_path / "encoder", ["abcdefghijklmno"])).to_dict()
        config = EncoderConfig(encoder=own)
    return make_encoder(config).eval()


def test_what_is_added_moves_the_embedding(encoder: torch.nn.Module) -> None:
    """Nothing added is as if it were not there; a table that is shifted is the same as what is added everywhere."""
    ids = torch.randint(1, 12, (2, 6))
    inside = torch.arange(6) < torch.tensor([[6], [4]])
    size = encoder.input_size
    assert isinstance(size, int)
    plain = encoder(ids, inside)
    torch.testing.assert_close(encoder(ids, inside, added=torch.zeros(2, 6, size)), plain)
    shift = torch.randn(size)
    moved = encoder(ids, inside, added=shift.expand(2, 6, size))
    assert not torch.allclose(moved, plain, atol=1e-3)
    with torch.no_grad():
        encoder.table.weight += shift  # type: ignore[union-attr, operator]
    torch.testing.assert_close(encoder(ids, inside), moved, rtol=1e-4, atol=1e-5)


def test_a_cut_vocabulary_is_added_to_as_well(tmp_path: Path) -> None:
    from transformers import AutoConfig

    own = AutoConfig.from_pretrained(make_encoder_folder(tmp_path / "encoder", ["abcdefghijklmno"])).to_dict()
    cut = make_encoder(EncoderConfig(encoder=own, token_rows=4)).eval()
    assert isinstance(cut, PretrainedEncoder) and cut.row_of is not None
    cut.row_of.copy_(torch.arange(len(cut.row_of)) % 4)
    ids, inside = torch.tensor([[1, 6, 11]]), torch.ones(1, 3, dtype=torch.bool)
    added = torch.zeros(1, 3, cut.input_size)
    torch.testing.assert_close(cut(ids, inside, added=added), cut(ids, inside))


def test_a_bias_is_added_to_what_attention_compares() -> None:
    torch.manual_seed(3)
    layer, x, over = CrossAttention(6, heads=2, head_size=4), torch.randn(2, 3, 6), torch.randn(2, 5, 6)
    mask = torch.tensor([[True] * 5, [True, True, False, True, False]])
    bias = torch.randn(2, 2, 3, 5)
    found = layer(x, over, mask, bias)
    q = layer.q(x).view(2, 3, 2, 4)
    k, v = layer.kv(over).view(2, 5, 2, 2, 4).unbind(2)
    for n in range(2):
        for head in range(2):
            scores = q[n, :, head] @ k[n, :, head].T / 2 + bias[n, head]
            weights = F.softmax(scores.masked_fill(~mask[n], -torch.inf), -1)
            own = found[n].view(3, 2, 4)[:, head]
            torch.testing.assert_close(own, weights @ v[n, :, head], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(layer(x, over, mask, torch.zeros(2, 2, 3, 5)), layer(x, over, mask))
