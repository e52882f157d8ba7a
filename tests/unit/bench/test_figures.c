/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/figures.h"

static void
expect_median(double expected, const double *values, unsigned int nb)
{
	double copy[8];

	memcpy(copy, values, nb * sizeof(copy[0]));
	cr_assert_float_eq(median_of(copy, nb), expected, 1e-9, "%g", median_of(copy, nb));
}

Test(figures, an_unknown_ratio_is_a_dash_and_no_part_of_a_median)
{
	char text[FIGURES_RATIO_BYTES];
	double some[] = {0, 3, 0, 1}, none[] = {0, 0};

	cr_assert_str_eq(figures_ratio_text(text, 1.374), "1.37");
	cr_assert_str_eq(figures_ratio_text(text, 0), "-");
	cr_assert_float_eq(median_of_known(some, 4), 2, 1e-9);
	cr_assert_float_eq(median_of_known(none, 2), 0, 1e-9);
}

Test(figures, median_of_an_even_number_lies_between_the_two_middle_ones)
{
	expect_median(0, (double[]){1}, 0);
	expect_median(7, (double[]){7}, 1);
	expect_median(1.5, (double[]){2, 1}, 2);
	expect_median(3, (double[]){9, 3, 1}, 3);
	expect_median(4, (double[]){9, 5, 1, 3}, 4);
}
