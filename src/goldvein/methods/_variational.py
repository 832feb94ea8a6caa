"""Deep generative model of inputs and their classes, and what the methods that train it share.

M1+M2 in one (Kingma et al. 2014, arXiv:1406.5298; Louizos et al. 2016, arXiv:1511.00830):

    generates  p(y) = 1/K    p(z_b) = N(0, I)    p(z_a | z_b, y) = N(mean, var)    p(x | z_a)
    infers     q(z_a | x) = N(mean, var)    q(y | z_a) = softmax    q(z_b | z_a, y) = N(mean, var)

The lower bound of log p(x), from one z_a ~ q(z_a | x) and all K values of y, each with its own z_b (Sun et al. 2021,
eq. 4, derived anew: as printed it lacks two signs of a KL and has a wrong one in the third term):

    log p(x | z_a)                                                       reconstruction
    - log q(z_a | x) + sum_y q(y | z_a) log p(z_a | z_b, y)              z_a
    - sum_y q(y | z_a) KL(q(z_b | z_a, y) || p(z_b))                     z_b
    - KL(q(y | z_a) || p(y))                                             y

A given label y^ is wrong with probability epsilon, and all wrong labels are equally likely:

    p(y^ | y, z_a) = 1 - epsilon if y^ = y, else epsilon / (C - 1)                                 (5)
    L = -bound - lambda f q(y^ | z_a)    with f = log((C - 1) (1 - epsilon) / epsilon)             (6)

The network that predicts is :class:`Inference`: the user's network as far as its features, the mean of z_a, and a
classifier. C of the paper is K, the number of classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from goldvein.config.ranges import Count, NonNegative, PartialShare, Span
from goldvein.errors import InputError, unknown
from goldvein.functional.gaussian import draw, kl_standard, log_normal, split_moments
from goldvein.models._decoder import ImageDecoder, one_hidden_layer, vector_decoder
from goldvein.training import Batch, Method, Run, Task, Terms, sampling
from goldvein.training.device import convolves, has_bfloat16
from goldvein.training.inputs import Inputs
from goldvein.training.network import Precision, count_features, without_head

Likelihood = Literal["auto", "bernoulli", "gaussian"]
OPTIONS = ("z_a", "z_b", "hidden", "likelihood", "precision")  # of the model
BETA2 = 0.99  # of Adam
SHARE = 0.05  # least share of labeled rows in a batch: 5 of 100, more where more rows are labeled
# On a CPU the networks that see z and a class skip classes that are as good as ruled out, whose part in the bound is
# some thousandths: of ten classes two or three remain once q is sure. A GPU would have to wait for their number.
NEGLIGIBLE, OF_UNIFORM = 1e-4, 1e-3  # q(y | z_a) of a class that is skipped, and its share of 1 / K
BLOCK = 64  # pairs of row and class come in multiples of it: the first product of each size costs a millisecond
SEEN, PIECE = 4096, 128  # rows that decide the likelihood, and rows that are read at once
LOG_VAR_X = (-6.0, 2.0)  # bounds of the log-variances of inputs
# From 0 on, where a row has few features, what z_a would say of them weighs so little against its noise that z_a is
# slow to say anything.
START_LOG_VAR_X = -2.0
# Sizes of z_a, z_b and the hidden layers. The paper is silent; Kingma et al. 2014 have 50 for both z on MNIST. With 10
# for z_b the bound is better, and y says more of the class: what z_b can tell of z_a, y need not. On MNIST with 100
# labels, 30 % wrong, 20 epochs, seeds 104 and 105, the bound was 101.3 and 101.2 nats at 10 (101.6 and 101.5 at 50,
# 101.4 and 101.4 at 5, 101.7 and 101.7 at 3), the accuracy on noisy labels that the protocol leaves out .630 and .666
# (.608 and .651 at 50).
VECTOR_SIZES, IMAGE_SIZES = (50, 10, 500), (128, 64, 256)


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
        p(x | z_a). :meth:`choose_likelihood` replaces ``auto``: Bernoulli where inputs lie in [0, 1]. The Gaussian
        learns a variance for each channel or feature.
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
        usual = IMAGE_SIZES if images else VECTOR_SIZES
        n_a, n_b, width = (given or size for given, size in zip((z_a, z_b, hidden), usual, strict=True))
        self.net = Inference(network, input_shape, n_classes, n_a, 0 if images else width)
        self.encode_b = one_hidden_layer(n_a + n_classes, width, 2 * n_b)
        self.decode_a = one_hidden_layer(n_b + n_classes, width, 2 * n_a)
        self.decode_x = ImageDecoder(n_a, input_shape) if images else vector_decoder(n_a, width, input_shape)
        self.likelihood = likelihood
        device = next(network.parameters()).device  # the rest is still to be moved there
        self.low_precision = precision == "bfloat16" or (precision == "auto" and has_bfloat16(device))
        if likelihood != "bernoulli":
            self.log_var_x = nn.Parameter(torch.full((input_shape[0], *[1] * (len(input_shape) - 1)), START_LOG_VAR_X))

    def choose_likelihood(self, inputs: Inputs) -> None:
        """Replace a likelihood ``auto`` by what fits some inputs, evenly spread: Bernoulli if all lie in [0, 1].

        Raises
        ------
        InputError
            If the likelihood is Bernoulli, and some inputs lie outside.
        """
        if self.likelihood == "gaussian":
            return
        rows = sampling.spread(len(inputs), SEEN).to(inputs.device)
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
        # the z_b of the K classes share one normal draw a row: each is a fair sample of its own q, and the difference
        # between two classes is free of noise
        noise_b = torch.randn(len(x), mean_b.shape[1], dtype=x.dtype, device=x.device)
        z_b = draw(mean_b, log_var_b, noise_b.index_select(0, rows))
        with low:
            mean_a, log_var_a = split_moments(self.decode_a(torch.cat([z_b, y], 1)), z.dtype)  # (P, n_a)
            out = self.decode_x(z_a).to(x.dtype)

        def expected(value: Tensor) -> Tensor:  # (P,) -> (B,), sum over y of q(y | z_a) value
            return torch.zeros_like(q[:, 0]).index_add(0, rows, weight * value)

        # z_b depends on the z_a that was drawn, so the term z_a takes log q and log p at that very draw; the closed
        # KL(q(z_a | x) || p(z_a | z_b, y)) of some codes is not this bound
        terms = {  # Eq. 4
            "reconstruction": -self.log_likelihood(x, out),
            "z_a": log_normal(z_a, mean, log_var) - expected(log_normal(z, mean_a, log_var_a)),
            "z_b": expected(kl_standard(mean_b, log_var_b)),
            "y": math.log(q.shape[1]) + (q * log_q).sum(1),
        }
        return Bound(terms, logits, mean)

    def log_likelihood(self, x: Tensor, out: Tensor) -> Tensor:
        """log p(x | z_a), (B,), from what the decoder gave for z_a; both (B, *input_shape)."""
        if self.likelihood == "bernoulli":
            x = x.clamp(0, 1)  # a random view, or a row that was not looked at, may lie outside: no bound would hold it
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
        n_features = count_features(network, input_shape, "the generative model")
        self.trunk: Any = without_head(network)
        self.moments = nn.Linear(n_features, 2 * n_a)
        self.classify = one_hidden_layer(n_a, hidden, n_classes) if hidden else nn.Linear(n_a, n_classes)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z_a | x), each (B, n_a)."""
        return split_moments(self.moments(self.trunk.features(x)), x.dtype)

    def forward(self, x: Tensor) -> Tensor:
        """(B, *input_shape) -> (B, K) logits."""
        logits: Tensor = self.classify(self.encode(x)[0])
        return logits


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


class GenerativeMethod(Method):
    """A method that trains :class:`Variational` on all inputs, and its classifier on labels by eq. 6.

    Parameters
    ----------
    weight : float, default=1.0
        lambda at the start, the weight of the labeled term.
    release : (float, float), default=(0.1, 0.3)
        Shares of the training between which lambda falls, to lambda times the share of labeled rows in a batch.
    least : float, default=1e-3
        Smallest probability of a wrong label.
    noise : float, default=0.15
        Standard deviation of the Gaussian noise on the normalized input.
    z_a, z_b, hidden : int, optional
        Sizes of the latent variables and of the hidden layers: 50, 10 and 500, or 128, 64 and 256 where the network
        convolves.
    likelihood : {"auto", "bernoulli", "gaussian"}, default="auto"
        p(x | z_a); ``auto`` is Bernoulli where inputs, as ``normalize`` leaves them, lie in [0, 1].
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Number format of the products in training; ``auto`` is bfloat16 where the hardware has it.
    """

    over = "larger"
    min_updates = 5000
    uses_validation = False  # classes are clusters before they are what the labels say: the best first epoch is no good
    trusted: Tensor | None = None  # (N,) bool, labels known to be right

    def __init__(
        self,
        weight: NonNegative = 1.0,
        release: Span = (0.1, 0.3),
        least: PartialShare = 1e-3,
        noise: NonNegative = 0.15,
        z_a: Count | None = None,
        z_b: Count | None = None,
        hidden: Count | None = None,
        likelihood: Likelihood = "auto",
        precision: Precision = "auto",
    ) -> None:
        super().__init__()
        self.weight = weight
        self.release = release
        self.least = least
        self.noise = noise
        self.z_a = z_a
        self.z_b = z_b
        self.hidden = hidden
        self.likelihood = likelihood
        self.precision = precision

    def setup(self, task: Task) -> None:
        self.trusted = task.trusted
        options: dict[str, Any] = {name: getattr(self, name) for name in OPTIONS}
        self.learner = Variational(task.build_model(), task.input_shape, task.n_classes, **options)

    @property
    def net(self) -> nn.Module:  # type: ignore[override]
        """q(y | z_a), at the mean of z_a."""
        return self.learner.net

    def loss(self, batch: Batch, n_labeled: int | None = None, weight: float = 1.0) -> Terms:
        """The negative bound of all rows, and the labeled term.

        Parameters
        ----------
        batch : Batch
        n_labeled : int, optional
            The first rows of the batch, among which all labeled ones are; by default all rows.
        weight : float
            lambda.
        """
        x, n = batch.views[0], n_labeled
        bound = self.learner.bound(self.with_noise(x), x)  # labeled rows too; noise is not reconstructed
        y = batch.y[:n].clamp(min=0)
        labeled = self.labeled_term(x[:n], y, bound.logits[:n], bound.mean[:n])
        if self.trusted is not None:
            known = self.trusted[batch.rows[:n]]
            labeled = labeled.where(~known, trusted_term(bound.logits[:n], y, self.least))
        return {**bound.terms, "labeled": (weight * labeled, batch.labeled[:n])}

    def with_noise(self, x: Tensor) -> Tensor:
        """Inputs with Gaussian noise, drawn anew."""
        return x + self.noise * torch.randn_like(x)

    def labeled_term(self, x: Tensor, y: Tensor, logits: Tensor, mean: Tensor) -> Tensor:
        """What is minimized for labels y (M,) of inputs x, from logits (M, K) of q(y | z_a) and the mean of z_a."""
        raise NotImplementedError

    def losses(self, run: Run, epoch: int) -> Iterator[Terms]:
        """The terms of each batch of an epoch."""
        n_labeled, n_rest = sampling.mixed_sizes(run.y[~run.task.validation], run.recipe.batch_size, SHARE)
        # The paper does not state lambda. At first labels say what the classes are, before these become clusters of
        # their own. With a lambda of 1 throughout, wrong labels are memorized. At the share of labeled rows,
        # eq. 4 to the letter, a label weighs f in the bound of its own row.
        weight = self.weight * decline(epoch / run.n_epochs, self.release, n_labeled / (n_labeled + n_rest))
        for batch in run.batches(unlabeled="rest", sizes=(n_labeled, n_rest), over=self.over):
            yield self.loss(batch, n_labeled, weight)


def decline(progress: float, between: tuple[float, float], end: float) -> float:
    """1 at first, ``end`` at last, geometric where ``progress``, below 1, is ``between`` two rising shares.

    Examples
    --------
    >>> [round(decline(share, (0.1, 0.3), 0.04), 3) for share in (0.05, 0.1, 0.2, 0.3, 0.9)]
    [1.0, 1.0, 0.2, 0.04, 0.04]
    """
    start, stop = between
    return float(end ** min(max((progress - start) / max(stop - start, 1e-9), 0.0), 1.0))


def label_log_odds(epsilon: Tensor, n_classes: int, least: float) -> Tensor:
    """f of eq. 6, ``log((C - 1) (1 - epsilon) / epsilon)``, epsilon held in [least, (C - 1) / C].

    It says by how much the logarithm of the probability of a given label rises where the true class is that label; 0
    where a label says nothing. Without bounds f is infinite at 0 and negative above (C - 1) / C.

    Examples
    --------
    >>> label_log_odds(torch.tensor([0.0, 0.001, 0.1, 0.9, 1.0]), 10, least=1e-3).round(decimals=2)
    tensor([9.1000, 9.1000, 4.3900, 0.0000, 0.0000])
    """
    epsilon = epsilon.clamp(least, 1 - 1 / n_classes)
    return ((n_classes - 1) * (1 - epsilon) / epsilon).log()


def trusted_term(logits: Tensor, y: Tensor, least: float) -> Tensor:
    """Cross-entropy of labels y (B,) known to be right, times the largest f of eq. 6, (B,).

    Linear in q, eq. 6 gives up a label that the network denies; a label known to be right must be learned whatever the
    network says. Without noise eq. 5 is this cross-entropy. The paper has no such labels.

    Examples
    --------
    >>> trusted_term(torch.zeros(1, 2), torch.tensor([0]), least=1e-3)
    tensor([4.7874])
    """
    return -label_log_odds(torch.zeros_like(logits[:, 0]), logits.shape[1], least) * log_probability(logits, y)


def log_probability(logits: Tensor, y: Tensor) -> Tensor:
    """Logarithm of the probability of labels y (B,), none missing, by logits (B, K): (B,)."""
    return logits.log_softmax(1).gather(1, y[:, None])[:, 0]
