/* What the engine computes under szse-2025, written down plainly: the quote test, time by state, use of the limit.

   No evidence, no edges, no response times, no conditions but a clock that runs: the least a monitor of this rule can
   do. `benchmarks/bench_twin.py` compiles it, runs both on the same rows, and wants the same nanoseconds from both. */

#include <stdint.h>
#include <string.h>

typedef __int128 i128;

enum { VALID = 0, UNKNOWN = 1, LAPSED = 3 };                      /* LAPSED + reason */
enum { ABSENT = 0, ONE_SIDED = 1, CROSSED = 2, SIZE = 3, SPREAD = 5 };
enum { THEO = 8, QUOTE = 9 };

typedef struct { /* a row of the tape */
    int64_t ts, offset, a, b;
    int32_t a_size, b_size, maker, contract;
    uint16_t part, sub;
    uint8_t kind, flags;
    uint16_t account;
} row;

typedef struct { /* one maker on one contract */
    int64_t bid, ask;
    int32_t bid_size, ask_size;
    int64_t lo, hi; /* the verdict stands while lo <= theo <= hi */
    int64_t at;     /* instant up to which time is counted */
    int64_t quoted, last_valid, current, longest;
    uint64_t use_lo, use_hi;
    uint32_t rate, lapses;
    int32_t state, pad;
    int64_t unknown, lapsed[9];
} slot;

typedef struct {
    int64_t theo, tick;
    int32_t known, min_size;
} contract;

typedef struct { /* limit = the larger of num / den of theo, and ticks */
    int64_t num, den, ticks;
    int32_t makers, contracts;
} rule;

static void count(slot *s, int64_t t) {
    int64_t d = t - s->at;
    if (d <= 0) return;
    s->at = t;
    if (s->state == VALID) {
        unsigned __int128 use = ((unsigned __int128)s->use_hi << 64 | s->use_lo) + (unsigned __int128)s->rate * d;
        s->use_lo = (uint64_t)use;
        s->use_hi = (uint64_t)(use >> 64);
        s->quoted += d;
        s->last_valid = t;
        s->current = 0;
    } else if (s->state == UNKNOWN) {
        s->unknown += d;
        s->current = 0;
    } else {
        if (s->current == 0) s->lapses++;
        s->current += d;
        if (s->current > s->longest) s->longest = s->current;
        s->lapsed[s->state - LAPSED] += d;
    }
}

static uint32_t use_of_limit(const slot *s, const contract *c, const rule *r) {
    /* billionths of the larger limit */
    uint64_t spread = (uint64_t)(s->ask - s->bid), ticks = (uint64_t)(r->ticks * c->tick), q;
    q = spread * 1000000000 / ticks;
    if (c->known) {
        uint64_t share = spread * r->den * 1000000000 / ((uint64_t)c->theo * r->num);
        if (share < q) q = share;
    }
    return (uint32_t)q;
}

static void judge(slot *s, const contract *c, const rule *r) {
    int64_t spread = s->ask - s->bid, need;
    s->lo = INT64_MIN;
    s->hi = INT64_MAX;
    s->rate = 0;
    if (!s->bid_size && !s->ask_size) s->state = LAPSED + ABSENT;
    else if (!s->bid_size || !s->ask_size) s->state = LAPSED + ONE_SIDED;
    else if (spread <= 0) s->state = LAPSED + CROSSED;
    else if (s->bid_size < c->min_size || s->ask_size < c->min_size) s->state = LAPSED + SIZE;
    else if (spread <= r->ticks * c->tick) s->state = VALID;
    else if (!c->known) s->state = UNKNOWN;
    else {
        need = (spread * r->den + r->num - 1) / r->num;
        s->state = c->theo >= need ? VALID : LAPSED + SPREAD;
        if (s->state == VALID) s->lo = need;
        else s->hi = need - 1;
    }
    if (s->state == VALID) s->rate = use_of_limit(s, c, r);
}

static void take_theo(slot *s, contract *c, const rule *r, const row *x) {
    int afresh = !c->known || (x->flags & 2);
    int64_t before = c->theo;
    c->known = !(x->flags & 2);
    if (c->known) c->theo = x->a;
    for (int32_t k = 0; k < r->makers; k++, s++) {
        if (afresh || c->theo < s->lo || c->theo > s->hi) {
            count(s, x->ts);
            judge(s, c, r);
        } else if (s->state == VALID && c->theo != before) {
            count(s, x->ts);
            s->rate = use_of_limit(s, c, r);
        }
    }
}

static void take_quote(slot *s, contract *c, const rule *r, const row *x) {
    count(s, x->ts);
    s->bid = x->a;
    s->ask = x->b;
    s->bid_size = x->a_size;
    s->ask_size = x->b_size;
    judge(s, c, r);
}

int64_t take(slot *slots, contract *contracts, const rule *r, const row *rows, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        const row *x = rows + i;
        if (x->contract < 0 || x->contract >= r->contracts) return i;
        slot *first = slots + (int64_t)x->contract * r->makers;
        if (x->kind == THEO) take_theo(first, contracts + x->contract, r, x);
        else if (x->kind == QUOTE && x->maker >= 0 && x->maker < r->makers)
            take_quote(first + x->maker, contracts + x->contract, r, x);
        else return i;
    }
    return n;
}

void settle(slot *slots, const rule *r, int64_t t) {
    for (int64_t i = 0; i < (int64_t)r->makers * r->contracts; i++) count(slots + i, t);
}
