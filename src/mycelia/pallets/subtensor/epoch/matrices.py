"""Vectors and matrices of the clear kernel, and how they are scaled.

A matrix is a list of rows, a row a dict from column to value; what a row does not name is absent.
All numbers are I32F32 (`_q32`), see `fixed`: products round down, quotients toward zero.

Source: paths in this file are in subtensor's `pallets/subtensor/src`, spec 425.
"""

from __future__ import annotations

from mycelia.primitives.fixed import add_q32, div_q32, mul_q32

Vector = list[int]
Row = dict[int, int]
Matrix = list[Row]


def normalized(vector: Vector) -> Vector:
    """Scaled to the sum of one, rounded toward zero; a zero sum leaves it as it is.

    Source: epoch/math.rs::inplace_normalize
    """
    total = sum(vector)
    return [div_q32(value, total) for value in vector] if total else vector


def rows_normalized(matrix: Matrix) -> Matrix:
    """Each row with a positive sum scaled to the sum of one.

    Source: epoch/math.rs::inplace_row_normalize_sparse
    """
    return [dict(zip(row, normalized(list(row.values())), strict=True)) for row in matrix]


def columns_normalized(matrix: Matrix) -> Matrix:
    """Each column with a sum scaled to the sum of one.

    Source: epoch/math.rs::inplace_col_normalize_sparse
    """
    totals = column_sums(matrix)
    return [
        {j: div_q32(v, totals[j]) if totals[j] else v for j, v in row.items()} for row in matrix
    ]


def column_sums(matrix: Matrix) -> Row:
    """The sum of each column that has an entry, saturating."""
    totals: Row = {}
    for row in matrix:
        for j, value in row.items():
            totals[j] = add_q32(totals.get(j, 0), value)
    return totals


def columns_upscaled(matrix: Matrix) -> Matrix:
    """Each column divided by its maximum: the form in which 16 bits store shares best.

    Source: epoch/math.rs::inplace_col_max_upscale_sparse
    """
    largest: Row = {}
    for row in matrix:
        for j, value in row.items():
            largest[j] = max(largest.get(j, 0), value)
    return [{j: div_q32(value, largest[j]) for j, value in row.items()} for row in matrix]


def stake_in_columns(matrix: Matrix, stake: Vector) -> Matrix:
    """M_ij A_i: what each row holds, by stake.

    Source: epoch/math.rs::row_hadamard_sparse
    """
    return [{j: mul_q32(v, stake[i]) for j, v in row.items()} for i, row in enumerate(matrix)]


def stake_weighted_sums(matrix: Matrix, stake: Vector, n: int) -> Vector:
    """The sums over i of A_i M_ij, each product rounded down.

    Source: epoch/math.rs::matmul_sparse
    """
    sums = [0] * n
    for i, row in enumerate(matrix):
        for j, value in row.items():
            sums[j] = add_q32(sums[j], mul_q32(stake[i], value))
    return sums
