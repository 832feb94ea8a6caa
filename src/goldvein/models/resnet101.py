"""101-layer residual network of bottleneck blocks (He et al. 2016): 23 blocks in the third stage instead of 6.

Sun et al. 2021 train it only on the labeled rows (S-2 of their Table 1). They do not describe its stem for images of
32x32. Here it is a 3x3 convolution without max-pool, as usual for CIFAR. 44,549,160 parameters for ImageNet.
"""

from __future__ import annotations

from goldvein.models.resnet50 import ResNet50


class ResNet101(ResNet50):
    """ResNet-50 with 17 more blocks; the parameters are those of :class:`goldvein.models.resnet50.ResNet50`.

    Examples
    --------
    >>> net = ResNet101((3, 32, 32), 10, stem="small")
    >>> [len(net.layer1), len(net.layer2), len(net.layer3), len(net.layer4)]
    [3, 4, 23, 3]
    """

    depths = (3, 4, 23, 3)
