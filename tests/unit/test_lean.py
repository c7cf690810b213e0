"The loss of answers, piece by piece: the value, the gradient and the memory."
import pytest
import torch

from iepile_nb.lib import lean
from iepile_nb.lib.lean import SummedLoss
from iepile_nb.lib.memory import PeakMemory


@pytest.mark.parametrize('tokens,words', [(0, 9), (1, 9), (7, 50), (64, 5)])
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
@pytest.mark.parametrize('piece', [1, 60, 2**22]) # less than a token, some tokens, all
def test_it_is_the_cross_entropy(tokens, words, dtype, piece, monkeypatch):
    monkeypatch.setattr(lean, 'PIECE', piece)
    torch.manual_seed(tokens + words)
    logits = (4 * torch.randn(tokens, words)).to(dtype).requires_grad_()
    labels = torch.randint(words, (tokens,))
    usual = torch.nn.functional.cross_entropy(logits.float(), labels, reduction='sum') / 3
    usual.backward()
    gradient, logits.grad = logits.grad, None
    loss = SummedLoss.apply(logits, labels) / 3
    loss.backward()
    assert loss.dtype == torch.float32 and logits.grad.dtype == dtype
    torch.testing.assert_close(loss, usual)
    close = 1e-2 if dtype == torch.bfloat16 else 1e-5
    torch.testing.assert_close(logits.grad, gradient, rtol=close, atol=1e-6)


def test_a_large_vocabulary_takes_little_more_than_its_logits(monkeypatch):
    monkeypatch.setattr(lean, 'PIECE', 2**14)
    logits, labels = torch.randn(64, 2**14).bfloat16().requires_grad_(), torch.arange(64)
    with PeakMemory([logits]) as seen: SummedLoss.apply(logits, labels).backward()
    assert seen.peak < 1.2 * logits.nbytes # its gradient
