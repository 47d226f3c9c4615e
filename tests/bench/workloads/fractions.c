/*
 * Arithmetic with numbers of any length, each of them a block: the continued fraction of e, its
 * convergents p / q, and the proof that p q' - p' q is 1 or -1. Nearly every block is tiny and
 * freed within a few calls.
 *
 *   --rounds N   fractions
 *   --terms N    of each
 */
#include <stdbool.h>

#include "workload.h"

struct number {
    size_t length;     /* of digits, without leading zeros; 0 is the number 0 */
    uint32_t digits[]; /* the lowest first */
};

static struct number *number_new(size_t length)
{
    struct number *number = workload_allocate(sizeof(*number) + length * sizeof(uint32_t));

    number->length = length;
    return number;
}

static struct number *number_from(uint32_t value)
{
    struct number *number = number_new(value != 0);

    if (value != 0)
        number->digits[0] = value;
    return number;
}

static void number_trim(struct number *number)
{
    while (number->length > 0 && number->digits[number->length - 1] == 0)
        number->length--;
}

static NOINLINE struct number *number_add(const struct number *a, const struct number *b)
{
    size_t length = (a->length > b->length ? a->length : b->length) + 1;
    struct number *sum = number_new(length);
    uint64_t carry = 0;

    for (size_t i = 0; i < length; i++) {
        carry += i < a->length ? a->digits[i] : 0;
        carry += i < b->length ? b->digits[i] : 0;
        sum->digits[i] = (uint32_t)carry;
        carry >>= 32;
    }
    number_trim(sum);
    return sum;
}

static NOINLINE struct number *number_multiply(const struct number *a, const struct number *b)
{
    struct number *product = number_new(a->length + b->length);

    memset(product->digits, 0, product->length * sizeof(uint32_t));
    for (size_t i = 0; i < a->length; i++) {
        uint64_t carry = 0;

        for (size_t j = 0; j < b->length; j++) {
            carry += product->digits[i + j] + (uint64_t)a->digits[i] * b->digits[j];
            product->digits[i + j] = (uint32_t)carry;
            carry >>= 32;
        }
        product->digits[i + b->length] = (uint32_t)carry;
    }
    number_trim(product);
    return product;
}

static bool number_equal(const struct number *a, const struct number *b)
{
    return a->length == b->length &&
           memcmp(a->digits, b->digits, a->length * sizeof(uint32_t)) == 0;
}

/* term * current + before */
static NOINLINE struct number *next_of(uint32_t term, const struct number *current,
                                       const struct number *before)
{
    struct number *factor = number_from(term);
    struct number *product = number_multiply(factor, current);
    struct number *next = number_add(product, before);

    free(product);
    free(factor);
    return next;
}

/* Whether a b and c d differ by one. */
static NOINLINE bool differ_by_one(const struct number *a, const struct number *b,
                                   const struct number *c, const struct number *d)
{
    struct number *one = number_from(1);
    struct number *left = number_multiply(a, b);
    struct number *right = number_multiply(c, d);
    struct number *left_and_one = number_add(left, one);
    struct number *right_and_one = number_add(right, one);
    bool differ = number_equal(left, right_and_one) || number_equal(right, left_and_one);

    free(right_and_one);
    free(left_and_one);
    free(right);
    free(left);
    free(one);
    return differ;
}

/* e is [2; 1, 2, 1, 1, 4, 1, 1, 6, ...]. */
static uint32_t term_of(long index)
{
    if (index == 0)
        return 2;
    return index % 3 == 2 ? (uint32_t)(index / 3 * 2 + 2) : 1;
}

static NOINLINE uint64_t fraction(long terms)
{
    struct number *p_before = number_from(0);
    struct number *q_before = number_from(1);
    struct number *p = number_from(1);
    struct number *q = number_from(0);
    uint64_t sum = 0;

    for (long i = 0; i < terms; i++) {
        struct number *p_next = next_of(term_of(i), p, p_before);
        struct number *q_next = next_of(term_of(i), q, q_before);

        free(p_before);
        free(q_before);
        p_before = p;
        q_before = q;
        p = p_next;
        q = q_next;
        if (!differ_by_one(p, q_before, p_before, q))
            workload_fail("fractions: the arithmetic is wrong");
        sum += p->digits[0];
    }
    free(p);
    free(q);
    free(p_before);
    free(q_before);
    return sum;
}

int main(int count, char **values)
{
    long rounds = workload_option(count, values, "rounds", 1000);
    long terms = workload_option(count, values, "terms", 60);
    uint64_t checksum = 0;
    struct workload_clock start = workload_start();

    for (long i = 0; i < rounds; i++)
        checksum = workload_mix(checksum, fraction(terms));
    return workload_done(start, (uint64_t)(rounds * terms * 11), checksum);
}
