"""Binary heaps of whole numbers in the front of a fixed array; ``size`` is kept by the caller.

Plain Python, compiled as it stands by :mod:`tokenomics.service.simulator.compiled`.
"""


def rise(heap, place):
    """Move the entry at ``place`` towards the root as far as it is smaller."""
    entry = heap[place]
    while place > 0:
        parent = (place - 1) >> 1
        if heap[parent] <= entry:
            break
        heap[place] = heap[parent]
        place = parent
    heap[place] = entry


def sink(heap, size, place):
    """Move the entry at ``place`` towards the leaves as far as it is larger."""
    entry = heap[place]
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= entry:
            break
        heap[place] = heap[child]
        place = child
    heap[place] = entry


def push(heap, size, entry):
    """Add an entry; the new size."""
    heap[size] = entry
    rise(heap, size)
    return size + 1


def pop(heap, size):
    """Drop the smallest entry, ``heap[0]``; the new size."""
    heap[0] = heap[size - 1]
    sink(heap, size - 1, 0)
    return size - 1


def remove(heap, size, entry):
    """Drop an entry wherever it is; the new size."""
    place = 0
    while heap[place] != entry:
        place += 1
    size -= 1
    if place < size:
        heap[place] = heap[size]
        rise(heap, place)
        sink(heap, size, place)
    return size
