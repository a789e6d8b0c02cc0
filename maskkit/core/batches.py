"""Batches that do not fit in CUDA's memory are halved until they do."""

import warnings
from collections.abc import Callable
from typing import TypeVar

import torch

Result = TypeVar("Result")


def until_it_fits(work: Callable[[int], Result], size: int) -> tuple[Result, int]:
    """Return `work(size)`; whenever CUDA runs out of memory, warn, halve the size and call it again.

    Args:
        work: does the whole work, `size` photos at a time. It starts again with the smaller size, so nothing that it
            did before may count.
        size: photos at a time in the first attempt.

    Returns:
        (the result of `work`, the size that fitted).

    Raises:
        MemoryError: not even one photo fits.
    """
    while True:
        try:
            return work(size), size
        except torch.cuda.OutOfMemoryError as error:
            if size == 1:
                raise MemoryError("CUDA's memory does not hold a single photo; use DEVICE='cpu'") from error
        # Outside the `except` block: the error, whose frames hold the tensors, is gone.
        size = -(-size // 2)
        torch.cuda.empty_cache()
        warnings.warn(f"CUDA ran out of memory; going on with {size} photos at a time", stacklevel=3)


def forward(network: torch.nn.Module, images: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return the network's outputs (N, ...) for images (N, ...): computed on `device`, returned on the CPU."""

    def pieces(size: int) -> torch.Tensor:
        return torch.cat([network(few.to(device, non_blocking=True)).cpu() for few in images.split(size)])

    return until_it_fits(pieces, len(images))[0]
