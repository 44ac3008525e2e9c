/* A hash join: 2^20 orders are hashed by customer into 96 MiB of buckets, then probed by payments in random order.
   Recorded as the built-in trace "hashjoin"; see manifest.json for the command. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUCKETS = 3 << 19, ROWS = 1 << 20 };

struct bucket { uint64_t key, rows, sum, newest, oldest, count, first, last; };

static uint64_t hash(uint64_t key)
{
    key ^= key >> 31;
    key *= 0x7fb5d329728ea185u;
    key ^= key >> 27;
    return key % BUCKETS;
}

int main(void)
{
    struct bucket *table = calloc(BUCKETS, sizeof *table);
    uint64_t customer = 1, matches = 0;
    for (uint64_t row = 0; row < ROWS; row++) {
        customer = customer * 6364136223846793005u + 1442695040888963407u;
        struct bucket *bucket = &table[hash(customer)];
        bucket->key = customer;
        bucket->rows++;
        bucket->sum += row;
        uint64_t payment = hash(row * 977) % (row + 1);
        matches += table[hash(payment)].rows != 0;
    }
    printf("%llu matches\n", (unsigned long long)matches);
    free(table);
    return 0;
}
