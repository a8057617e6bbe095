"""The mixed embedding: characters, plus projected vectors of the words around them, plus positions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MixedEmbedding(nn.Module):
    """``char_emb(c_i) + W·word_vec(word of c_i) + pos_emb(i)``, then dropout and the mask (kexue.fm 6671).

    Args:
        characters: size of the character vocabulary; id 0 is padding.
        size: H.
        words: rows of the frozen word vectors, row 0 being the zero vector of unknown words; 0: no word vectors.
        word_size: length of a word vector.
        positions: rows of the position table, which starts at zero; 0: none. Later positions share the last row.
        tags: classes of parts of speech, added as an embedding; 0: none.
    """

    word_vectors: Tensor

    def __init__(
        self,
        characters: int,
        size: int,
        *,
        words: int = 0,
        word_size: int = 0,
        positions: int = 0,
        tags: int = 0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.character = nn.Embedding(characters, size, padding_idx=0)
        nn.init.normal_(self.character.weight, std=0.05)
        self.word = nn.Linear(word_size, size, bias=False) if words else None
        if words:
            # A buffer, not a parameter: saved with the model, never trained, half precision to halve the file.
            self.register_buffer("word_vectors", torch.zeros(words, word_size, dtype=torch.float16))
        self.tag = nn.Embedding(tags, size) if tags else None
        if self.tag is not None:
            nn.init.zeros_(self.tag.weight)
        self.position = nn.Parameter(torch.zeros(positions, size)) if positions else None
        self.dropout = dropout

    def fill(self, vectors: npt.NDArray[np.float16]) -> None:
        """Put word vectors (words − 1, word_size) into the rows behind that of unknown words."""
        self.word_vectors[1:] = torch.from_numpy(np.array(vectors))

    def forward(
        self, characters: Tensor, words: Tensor | None, tags: Tensor | None, mask: Tensor, added: Tensor | None = None
    ) -> Tensor:
        """characters, words, tags (B, L) ids; mask (B, L, 1); added (B, L, H) or none → (B, L, H)."""
        x = self.character(characters)
        if self.word is not None and words is not None:
            vectors = F.embedding(words, self.word_vectors).to(self.word.weight.dtype)
            x = x + self.word(vectors)
        if self.tag is not None and tags is not None:
            x = x + self.tag(tags)
        if self.position is not None:
            at = torch.arange(characters.shape[1], device=x.device).clamp(max=self.position.shape[0] - 1)
            x = x + self.position[at]
        if added is not None:
            x = x + added
        return F.dropout(x, self.dropout, self.training) * mask
