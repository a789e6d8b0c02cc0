"""A batch that CUDA's memory does not hold is halved until it does."""

import warnings

import torch


def until_it_fits(work, size):
    """`work(size)`, with a size halved as often as CUDA runs out of memory; each halving is a warning.

    Args:
        work: does the whole of it, `size` photos at a time; begun anew with the smaller size, so what it had done when
            memory ran out must not count.
        size: photos at a time, at first.

    Returns:
        (what `work` returned, the size it went through with).

    Raises:
        MemoryError: not even one photo fits.
    """
    while True:
        try:
            return work(size), size
        except torch.cuda.OutOfMemoryError as error:
            if size == 1:
                raise MemoryError("CUDA's memory does not hold a single photo; use DEVICE='cpu'") from error
        # Out here the error is gone, and with it the frames that held on to the tensors.
        size = -(-size // 2)
        torch.cuda.empty_cache()
        warnings.warn(f"CUDA ran out of memory; going on with {size} photos at a time", stacklevel=3)


def forward(network, images, device):
    """What `network` makes of images (N, ...), computed on `device` and copied back: a tensor (N, ...) on the CPU."""

    def pieces(size):
        return torch.cat([network(few.to(device, non_blocking=True)).cpu() for few in images.split(size)])

    return until_it_fits(pieces, len(images))[0]
