"""Deep generative model of inputs and their classes (M1+M2 in one; Kingma et al. 2014, Louizos et al. 2016).

    generates  p(y) = 1/K    p(z_b) = N(0, I)    p(z_a | z_b, y) = N(mean, var)    p(x | z_a)
    infers     q(z_a | x) = N(mean, var)    q(y | z_a) = softmax    q(z_b | z_a, y) = N(mean, var)

with a lower bound of log p(x) from one z_a ~ q(z_a | x) and all K values of y, each with its own z_b:

    log p(x | z_a)                                                       reconstruction
    - log q(z_a | x) + sum_y q(y | z_a) log p(z_a | z_b, y)              z_a
    - sum_y q(y | z_a) KL(q(z_b | z_a, y) || p(z_b))                     z_b
    - KL(q(y | z_a) || p(y))                                             y

The network that predicts is :class:`Inference`: the user's network as far as its features, the mean of z_a, and a
classifier.

Choices
- z_b depends on the z_a that was drawn, so the term z_a takes log q and log p at that very draw. The closed
  KL(q(z_a | x) || p(z_a | z_b, y)) of some codes is not this bound.
- The z_b of the K classes have their own means and variances but share one normal draw a row: each is a fair sample
  of its own q, and the difference between two classes is free of noise.
- The sizes are silent. Kingma et al. 2014 have 50 for both on MNIST. With 10 for z_b the bound is better, and y says
  more of the class: what z_b can tell of z_a, y need not. On MNIST with 100 labels, 30 % wrong, 20 epochs, seeds 104
  and 105, the bound was 101.3 and 101.2 nats at 10 (101.6 and 101.5 at 50, 101.4 and 101.4 at 5, 101.7 and 101.7 at
  3), the accuracy on noisy labels that the protocol leaves out .630 and .666 (.608 and .651 at 50).
- Log-variances are held in [-8, 8]; those of a Gaussian p(x | z_a) in [-6, 2], and they start at -2. From 0 on, where a
  row has few features, what z_a would tell of them weighs so little against its noise that it is slow to tell anything.

Most of the work are the networks that see z and a class, K times a row. On a CPU they skip classes that are as good as
ruled out, q(y | z_a) < 1e-4 (a thousandth of 1 / K, where that is less), whose part in the bound is some thousandths:
of ten classes two or three remain once q is sure. A GPU would have to wait for their number, and goes through all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from goldvein.errors import InputError, unknown
from goldvein.training.device import convolves, has_bfloat16
from goldvein.training.inputs import Inputs
from goldvein.training.network import Precision, require_network
from goldvein.training.sampling import spread

NEGLIGIBLE, OF_UNIFORM = 1e-4, 1e-3  # q(y | z_a) of a class that is skipped, and its share of 1 / K
BLOCK = 64  # pairs of row and class come in multiples of it: the first product of each size costs a millisecond
SEEN, PIECE = 4096, 128  # rows that decide the likelihood, and rows that are read at once
OPTIONS = ("z_a", "z_b", "hidden", "likelihood", "precision")  # of the model, which methods pass on
Likelihood = Literal["auto", "bernoulli", "gaussian"]
LOG_VAR = (-8.0, 8.0)  # of latent variables
LOG_VAR_X = (-6.0, 2.0)  # of inputs
START_LOG_VAR_X = -2.0


@dataclass(frozen=True)
class Bound:
    """The bound of each row of a batch, negated and in parts, and what was inferred on the way.

    Attributes
    ----------
    terms : dict of Tensor, each (B,)
        ``reconstruction``, ``z_a``, ``z_b`` and ``y``; their sum is at least -log p(x), on average over draws.
    logits : Tensor of shape (B, K)
        Of q(y | z_a), at the z_a that was drawn.
    mean : Tensor of shape (B, n_a)
        Of q(z_a | x).
    """

    terms: dict[str, Tensor]
    logits: Tensor
    mean: Tensor


class Variational(nn.Module):
    """The model, and all that infers it.

    Parameters
    ----------
    network : Module
        Its ``features`` maps (B, *input_shape) to (B, D); its ``head`` is not used.
    input_shape : tuple of int
    n_classes : int
        K.
    z_a, z_b, hidden : int, optional
        Sizes of the latent variables and of the hidden layers: 50, 10 and 500, or 128, 64 and 256 where the network
        convolves. There the decoder does so too, and the classifier is one layer.
    likelihood : {"auto", "bernoulli", "gaussian"}
        p(x | z_a). ``auto`` is decided by :meth:`settle`: Bernoulli where inputs lie in [0, 1]. The Gaussian learns a
        variance for each channel or feature.
    precision : {"auto", "float32", "bfloat16"}
        Of products in :meth:`bound`; ``auto`` is bfloat16 where the hardware has it. Prediction is the network's.

    Examples
    --------
    Sun et al. 2021 on MNIST:

    >>> from goldvein.models.mlp import MLP
    >>> network = MLP((784,), 10, hidden=(500,), dropout=0)
    >>> sum(p.numel() for p in Variational(network, (784,), 10, z_b=50, likelihood="bernoulli").parameters())
    1052594
    """

    def __init__(
        self,
        network: nn.Module,
        input_shape: tuple[int, ...],
        n_classes: int,
        *,
        z_a: int | None = None,
        z_b: int | None = None,
        hidden: int | None = None,
        likelihood: str = "auto",
        precision: str = "auto",
    ) -> None:
        super().__init__()
        for name, value, known in (("likelihood", likelihood, Likelihood), ("precision", precision, Precision)):
            if value not in get_args(known):
                raise unknown(name, value, get_args(known))
        images = len(input_shape) == 3 and convolves(network)
        usual = (128, 64, 256) if images else (50, 10, 500)
        n_a, n_b, width = (given or size for given, size in zip((z_a, z_b, hidden), usual, strict=True))
        self.net = Inference(network, input_shape, n_classes, n_a, 0 if images else width)
        self.encode_b = mlp(n_a + n_classes, width, 2 * n_b)
        self.decode_a = mlp(n_b + n_classes, width, 2 * n_a)
        self.decode_x = ImageDecoder(n_a, input_shape) if images else decoder(n_a, width, input_shape)
        self.likelihood = likelihood
        device = next(network.parameters()).device  # the rest is still to be moved there
        self.low_precision = precision == "bfloat16" or (precision == "auto" and has_bfloat16(device))
        if likelihood != "bernoulli":
            self.log_var_x = nn.Parameter(torch.full((input_shape[0], *[1] * (len(input_shape) - 1)), START_LOG_VAR_X))

    def settle(self, inputs: Inputs) -> None:
        """Decide a likelihood ``auto`` by some inputs, evenly spread: Bernoulli if all of them lie in [0, 1].

        Raises
        ------
        InputError
            If it was to be Bernoulli, and not all of them do.
        """
        if self.likelihood == "gaussian":
            return
        rows = spread(len(inputs), SEEN).to(inputs.device)
        ends = [view.aminmax() for view in (inputs.view(inputs.read(part), "plain") for part in rows.split(PIECE))]
        low, high = min(low for low, _ in ends), max(high for _, high in ends)
        inside = low >= 0 and high <= 1
        if self.likelihood == "bernoulli" and not inside:
            raise InputError(
                f"likelihood='bernoulli' needs normalized inputs in [0, 1], and they reach from {low:.3g} to {high:.3g}"
                ": give normalize='unit', or 'gaussian'"
            )
        if self.likelihood == "auto":
            self.likelihood = "bernoulli" if inside else "gaussian"

    def bound(self, noisy: Tensor, x: Tensor) -> Bound:
        """The bound for inputs x, inferred from the same inputs with noise; both (B, *input_shape)."""
        low = torch.autocast(x.device.type, torch.bfloat16, enabled=self.low_precision)
        with low:
            mean, log_var = self.net.encode(noisy)
        z_a = draw(mean, log_var, torch.randn_like(mean))  # (B, n_a)
        logits = self.net.classify(z_a)
        log_q = logits.log_softmax(1)
        q = log_q.exp()
        rows, classes = pairs(q)  # (P,) each
        y = torch.eye(q.shape[1], dtype=q.dtype, device=q.device).index_select(0, classes)
        z, weight = z_a.index_select(0, rows), q[rows, classes]
        with low:
            mean_b, log_var_b = split_moments(self.encode_b(torch.cat([z, y], 1)), z.dtype)  # (P, n_b)
        noise_b = torch.randn(len(x), mean_b.shape[1], dtype=x.dtype, device=x.device)
        z_b = draw(mean_b, log_var_b, noise_b.index_select(0, rows))
        with low:
            mean_a, log_var_a = split_moments(self.decode_a(torch.cat([z_b, y], 1)), z.dtype)  # (P, n_a)
            out = self.decode_x(z_a).to(x.dtype)

        def expected(value: Tensor) -> Tensor:  # (P,) -> (B,), sum over y of q(y | z_a) value
            return torch.zeros_like(q[:, 0]).index_add(0, rows, weight * value)

        terms = {
            "reconstruction": -self.log_likelihood(x, out),
            "z_a": log_normal(z_a, mean, log_var) - expected(log_normal(z, mean_a, log_var_a)),
            "z_b": expected(kl_standard(mean_b, log_var_b)),
            "y": math.log(q.shape[1]) + (q * log_q).sum(1),
        }
        return Bound(terms, logits, mean)

    def log_likelihood(self, x: Tensor, out: Tensor) -> Tensor:
        """log p(x | z_a), (B,), from what the decoder gave for z_a; both (B, *input_shape)."""
        if self.likelihood == "bernoulli":
            x = x.clamp(0, 1)  # a random view, or a row that did not decide, may lie outside: no bound would hold it
            return -F.binary_cross_entropy_with_logits(out, x, reduction="none").flatten(1).sum(1)
        log_var = self.log_var_x.clamp(*LOG_VAR_X).expand(x.shape[1:]).flatten()
        return log_normal(x.flatten(1), out.flatten(1), log_var)


class Inference(nn.Module):
    """q(z_a | x) and q(y | z_a); called, it predicts from the mean of z_a.

    Parameters
    ----------
    network : Module
        See :class:`Variational`.
    hidden : int
        Width of the classifier's hidden layer; 0 is none.
    """

    def __init__(self, network: nn.Module, input_shape: tuple[int, ...], n_classes: int, n_a: int, hidden: int) -> None:
        super().__init__()
        n_features = count_features(network, input_shape)
        self.trunk: Any = without_head(network)
        self.moments = nn.Linear(n_features, 2 * n_a)
        self.classify = mlp(n_a, hidden, n_classes) if hidden else nn.Linear(n_a, n_classes)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z_a | x), each (B, n_a)."""
        return split_moments(self.moments(self.trunk.features(x)), x.dtype)

    def forward(self, x: Tensor) -> Tensor:
        """(B, *input_shape) -> (B, K) logits."""
        return self.classify(self.encode(x)[0])


class ImageDecoder(nn.Module):
    """z -> 512 maps of an eighth of the side -> three transposed convolutions -> an image of means."""

    def __init__(self, n_in: int, input_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.size = input_shape[1:]
        small = [math.ceil(side / 8) for side in self.size]
        layers: list[nn.Module] = [nn.Linear(n_in, 512 * math.prod(small)), nn.Unflatten(1, (512, *small))]
        for n_from, n_to in ((512, 256), (256, 128), (128, 64)):
            layers += [nn.ConvTranspose2d(n_from, n_to, 4, 2, 1), nn.BatchNorm2d(n_to), nn.LeakyReLU(0.1)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(64, input_shape[0], 3, padding=1))

    def forward(self, z: Tensor) -> Tensor:
        """(B, n_in) -> (B, C, H, W)."""
        height, width = self.size
        return self.layers(z)[:, :, :height, :width]


def mlp(n_in: int, hidden: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(n_in, hidden), nn.ReLU(), nn.Linear(hidden, n_out))


def decoder(n_in: int, hidden: int, input_shape: tuple[int, ...]) -> nn.Sequential:
    return mlp(n_in, hidden, math.prod(input_shape)).append(nn.Unflatten(1, input_shape))


@torch.no_grad()
def pairs(q: Tensor) -> tuple[Tensor, Tensor]:
    """Rows and classes (P,) to go through, for class probabilities (B, K).

    Examples
    --------
    >>> rows, classes = pairs(torch.eye(100))
    >>> len(rows), bool((rows == classes)[:100].all())
    (128, True)
    """
    n = q.numel()
    if q.device.type == "cpu":
        likely = int((q > min(NEGLIGIBLE, OF_UNIFORM / q.shape[1])).sum())
        n = min(-(-likely // BLOCK) * BLOCK, n)
    index = q.flatten().topk(n).indices
    return index // q.shape[1], index % q.shape[1]


def split_moments(out: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Mean and bounded log-variance from one layer: (..., 2 n) -> (..., n) each."""
    mean, log_var = out.to(dtype).chunk(2, -1)
    return mean, F.hardtanh(log_var, *LOG_VAR)


def draw(mean: Tensor, log_var: Tensor, noise: Tensor) -> Tensor:
    """A sample whose gradient reaches its moments."""
    return mean + (0.5 * log_var).exp() * noise


def log_normal(x: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """log N(x; mean, exp(log_var)), summed over the last axis.

    Examples
    --------
    >>> log_normal(torch.zeros(2), torch.zeros(2), torch.zeros(2))
    tensor(-1.8379)
    """
    return -0.5 * (math.log(2 * math.pi) + log_var + (x - mean).square() * (-log_var).exp()).sum(-1)


def kl_standard(mean: Tensor, log_var: Tensor) -> Tensor:
    """KL(N(mean, exp(log_var)) || N(0, I)), summed over the last axis.

    Examples
    --------
    >>> kl_standard(torch.ones(1), torch.full((1,), 4.0).log())
    tensor(1.3069)
    """
    return 0.5 * (mean.square() + log_var.exp() - 1 - log_var).sum(-1)


@torch.no_grad()
def count_features(network: nn.Module, input_shape: tuple[int, ...]) -> int:
    """D of ``features``: (B, *input_shape) -> (B, D).

    Raises
    ------
    InputError
        If the network has no ``features`` and ``head``, or its features are no vectors.
    """
    features = require_network(network, "the generative model").features
    some = next(network.parameters())
    was_training = network.training
    network.eval()
    shape = features(torch.zeros(2, *input_shape, device=some.device, dtype=some.dtype)).shape
    network.train(was_training)
    if len(shape) != 2:
        name = type(network).__name__
        raise InputError(f"features(x) of {name} has shape {tuple(shape)}: it must be (B, D), one vector a row")
    return int(shape[1])


def without_head(network: nn.Module) -> Any:
    """The network, its last layer ``head`` replaced by nothing, so that no unused weight is kept."""
    head = getattr(network, "head", None)
    for module in list(network.modules()):
        for name, child in module.named_children():
            if child is head:
                setattr(module, name, nn.Identity())
    return network
