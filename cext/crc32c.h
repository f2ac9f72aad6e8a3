/* CRC-32C (Castagnoli): by the processor's own instruction where it has one, else by tables.

   One build runs everywhere: what the processor can is asked once, when the module is loaded. The instruction takes
   3 cycles and another can start in each of them, so three stretches of a long buffer are summed side by side and
   joined: the sum of a stretch is moved over the bytes behind it by a table of what that many zero bytes do. */

#ifndef MM_MONITOR_CRC32C_H
#define MM_MONITOR_CRC32C_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define MM_CRC_X86 1
#include <nmmintrin.h>
#endif

#define MM_CRC_POLY 0x82f63b78u /* reflected */
#define MM_CRC_LONG 8192        /* bytes of a stretch: multiples of 8 */
#define MM_CRC_SHORT 256

static uint32_t mm_crc_bytes[8][256];
static uint32_t mm_crc_long[4][256];
static uint32_t mm_crc_short[4][256];
static int mm_crc_fast = 0;

/* A square matrix over GF(2), a column a bit, times a vector. */
static uint32_t mm_crc_times(const uint32_t *matrix, uint32_t vector) {
    uint32_t sum = 0;
    for (; vector; vector >>= 1, matrix++)
        if (vector & 1) sum ^= *matrix;
    return sum;
}

/* `table[k][b]`: what a sum whose byte k is b becomes by `length` zero bytes; `length` is a power of 2. */
static void mm_crc_zeros(uint32_t table[4][256], size_t length) {
    uint32_t matrix[32], square[32];
    matrix[0] = MM_CRC_POLY; /* one zero bit */
    for (int i = 1; i < 32; i++) matrix[i] = (uint32_t)1 << (i - 1);
    for (size_t bits = 1; bits < 8 * length; bits *= 2) {
        for (int i = 0; i < 32; i++) square[i] = mm_crc_times(matrix, matrix[i]);
        memcpy(matrix, square, sizeof matrix);
    }
    for (uint32_t b = 0; b < 256; b++)
        for (int k = 0; k < 4; k++) table[k][b] = mm_crc_times(matrix, b << (8 * k));
}

static void mm_crc_init(void) {
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t crc = b;
        for (int i = 0; i < 8; i++) crc = crc & 1 ? (crc >> 1) ^ MM_CRC_POLY : crc >> 1;
        mm_crc_bytes[0][b] = crc;
    }
    for (uint32_t b = 0; b < 256; b++)
        for (int k = 1; k < 8; k++) {
            uint32_t before = mm_crc_bytes[k - 1][b];
            mm_crc_bytes[k][b] = mm_crc_bytes[0][before & 0xff] ^ (before >> 8);
        }
    mm_crc_zeros(mm_crc_long, MM_CRC_LONG);
    mm_crc_zeros(mm_crc_short, MM_CRC_SHORT);
#ifdef MM_CRC_X86
    mm_crc_fast = __builtin_cpu_supports("sse4.2") != 0;
#endif
}

static inline uint64_t mm_crc_load(const uint8_t *at) {
    uint64_t word;
    memcpy(&word, at, 8);
    return word;
}

/* Eight bytes at a time by tables; the machine is little-endian (see decode.pyx). */
static uint32_t mm_crc_soft(const uint8_t *at, size_t length) {
    uint32_t crc = 0xffffffffu;
    for (; length >= 8; at += 8, length -= 8) {
        uint64_t word = mm_crc_load(at) ^ crc;
        crc = mm_crc_bytes[7][word & 0xff] ^ mm_crc_bytes[6][word >> 8 & 0xff] ^
              mm_crc_bytes[5][word >> 16 & 0xff] ^ mm_crc_bytes[4][word >> 24 & 0xff] ^
              mm_crc_bytes[3][word >> 32 & 0xff] ^ mm_crc_bytes[2][word >> 40 & 0xff] ^
              mm_crc_bytes[1][word >> 48 & 0xff] ^ mm_crc_bytes[0][word >> 56];
    }
    for (; length; length--) crc = mm_crc_bytes[0][(crc ^ *at++) & 0xff] ^ (crc >> 8);
    return ~crc;
}

#ifdef MM_CRC_X86
static inline uint64_t mm_crc_moved(uint32_t table[4][256], uint64_t crc) {
    return table[0][crc & 0xff] ^ table[1][crc >> 8 & 0xff] ^ table[2][crc >> 16 & 0xff] ^
           table[3][crc >> 24 & 0xff];
}

/* Whole triples of stretches of `size` bytes; returns where it stopped. */
__attribute__((target("sse4.2"))) static const uint8_t *mm_crc_triples(
    const uint8_t *at, const uint8_t *end, size_t size, uint32_t table[4][256], uint64_t *sum) {
    uint64_t a = *sum;
    while ((size_t)(end - at) >= 3 * size) {
        uint64_t b = 0, c = 0;
        for (const uint8_t *stop = at + size; at < stop; at += 8) {
            a = _mm_crc32_u64(a, mm_crc_load(at));
            b = _mm_crc32_u64(b, mm_crc_load(at + size));
            c = _mm_crc32_u64(c, mm_crc_load(at + 2 * size));
        }
        a = mm_crc_moved(table, mm_crc_moved(table, a) ^ b) ^ c;
        at += 2 * size;
    }
    *sum = a;
    return at;
}

__attribute__((target("sse4.2"))) static uint32_t mm_crc_hard(const uint8_t *at, size_t length) {
    const uint8_t *end = at + length;
    uint64_t crc = 0xffffffffu;
    at = mm_crc_triples(at, end, MM_CRC_LONG, mm_crc_long, &crc);
    at = mm_crc_triples(at, end, MM_CRC_SHORT, mm_crc_short, &crc);
    for (; end - at >= 8; at += 8) crc = _mm_crc32_u64(crc, mm_crc_load(at));
    for (; at < end; at++) crc = _mm_crc32_u8((uint32_t)crc, *at);
    return ~(uint32_t)crc;
}
#endif

static uint32_t mm_crc32c(const uint8_t *at, size_t length) {
#ifdef MM_CRC_X86
    if (mm_crc_fast) return mm_crc_hard(at, length);
#endif
    return mm_crc_soft(at, length);
}

#endif
