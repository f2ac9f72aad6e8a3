"""Option prices by columns: generalised Black-Scholes (Black-76 and Merton among them) and Bjerksund-Stensland 2002.

Doubles, and only here: what leaves is rounded to 10^-8 and written on the tape before anything is judged. Each step stands
in the same order in the plain twin, mm_monitor/kernels/reference_pricing.py: both give the same bits.
"""

from libc.math cimport INFINITY, NAN, asin, cos, erfc, exp, expm1, fabs, fmax, fmin, isfinite, log, log1p, sin, sqrt
from libc.stdint cimport int8_t, int64_t

cdef enum:
    EUROPEAN = 0
    AMERICAN = 1
    NODES = 24
    HALVINGS = 60

cdef double SQRT_HALF = sqrt(0.5)
cdef double SQRT_TWO_PI = sqrt(2.0 * 3.141592653589793)
cdef double SPLIT = 0.5 * (sqrt(5.0) - 1.0)  # the first period's share of an American option's life
cdef double BUMP = 1e-4                       # relative, for the delta of an American option
cdef double LEAST_VOL = 1e-4
cdef double MOST_VOL = 8.0
# Below these an American option is not worth exercising early: years, vol, rate less carry.
cdef double NO_TIME = 1e-9
cdef double NO_VOL = 1e-6
cdef double NO_RATE = 1e-12

# Gauss-Legendre on [-1, 1], the positive half.
cdef double[12] ABSCISSA = [
    0.06405689286260563, 0.1911188674736163, 0.3150426796961634, 0.4337935076260451, 0.5454214713888396,
    0.6480936519369755, 0.7401241915785544, 0.820001985973903, 0.8864155270044011, 0.9382745520027328,
    0.9747285559713095, 0.9951872199970213,
]
cdef double[12] WEIGHT = [
    0.12793819534675216, 0.1258374563468283, 0.12167047292780339, 0.1155056680537256, 0.10744427011596563,
    0.09761865210411388, 0.08619016153195327, 0.0733464814110803, 0.05929858491543678, 0.04427743881741981,
    0.028531388628933663, 0.0123412297999872,
]
cdef double[NODES] SINE       # of the angles between 0 and asin(sqrt(SPLIT)) at which the integrand is taken
cdef double[NODES] HALF_COS2  # 1 / (2 cos^2)
cdef double[NODES] SHARE      # weight * angle / 4 pi


cdef void prepare() noexcept:
    cdef double angle = asin(sqrt(SPLIT)), theta
    cdef int i
    for i in range(NODES):
        theta = 0.5 * angle * (1.0 - ABSCISSA[i // 2] if i % 2 else 1.0 + ABSCISSA[i // 2])
        SINE[i] = sin(theta)
        HALF_COS2[i] = 0.5 / (cos(theta) * cos(theta))
        SHARE[i] = WEIGHT[i // 2] * angle / (4.0 * 3.141592653589793)


prepare()


cdef inline double cdf(double x) noexcept nogil:
    return 0.5 * erfc(-x * SQRT_HALF)


cdef inline double log_ratio(double a, double b) noexcept nogil:
    # ln(a / b) with all its digits where a is near b
    cdef double q = a / b
    return log1p((a - b) / b) if 0.5 < q < 2.0 else log(q)


cdef inline double scaled(double exponent, double x) noexcept nogil:
    # exp(exponent) * x, also where the first overflows and the product does not
    if x == 0.0:
        return 0.0
    if fabs(exponent) < 300.0:
        return exp(exponent) * x
    return exp(exponent + log(x)) if x > 0.0 else -exp(exponent + log(-x))


# European: an out-of-the-money price directly, an in-the-money one as intrinsic value plus the other side's price.

cdef double near_series(double h, double t) noexcept nogil:
    # [Y(h + t) - Y(h - t)] / 2 for Y = cdf / pdf, by Taylor's series: nothing cancels however small t is
    cdef double y = cdf(h) * SQRT_TWO_PI * exp(0.5 * h * h)
    cdef double d0 = y, d1 = 1.0 + h * y, d2
    cdef double power = t, total = t * d1, term
    cdef int n
    for n in range(1, 60):
        d2 = n * d0 + h * d1  # derivative n + 1
        d0, d1 = d1, d2
        power = power * t / (n + 1)
        if n % 2 == 0:
            term = power * d1
            total += term
            if fabs(term) <= 1e-18 * total:
                break
    return total


cdef double otm_value(double x, double s) noexcept nogil:
    # of a call with ln(forward / strike) = x <= 0 and total deviation s, in units of sqrt(forward * strike)
    cdef double h, t, value
    if s <= 0.0:
        return 0.0
    h = x / s
    t = 0.5 * s
    if h < -37.0:
        return 0.0
    if t < 0.5 and -h * t < 1.0:
        value = 2.0 * exp(-0.5 * (h * h + t * t)) / SQRT_TWO_PI * near_series(h, t)
    else:
        value = exp(0.5 * x) * cdf(h + t) - exp(-0.5 * x) * cdf(h - t)
    return fmax(value, 0.0)


cdef double european(int sign, double spot, double strike, double years, double rate, double carry,
                     double vol) noexcept nogil:
    cdef double x = log_ratio(spot, strike) + carry * years
    cdef double s = vol * sqrt(years)
    cdef double value = strike * exp(0.5 * x) * otm_value(-fabs(x), s)
    if (sign > 0) == (x > 0.0):
        value += strike * fabs(expm1(x))
    return value * exp(-rate * years)


cdef double european_delta(int sign, double spot, double strike, double years, double rate, double carry,
                           double vol) noexcept nogil:
    cdef double x = log_ratio(spot, strike) + carry * years
    cdef double s = vol * sqrt(years)
    cdef double d1
    if s > 0.0:
        d1 = x / s + 0.5 * s
    else:
        d1 = 0.0 if x == 0.0 else (INFINITY if x > 0.0 else -INFINITY)
    return sign * cdf(sign * d1) * exp((carry - rate) * years)


# American: Bjerksund and Stensland (2002), two flat exercise boundaries. What is summed is not the printed formula term by
# term but its excess over the European price, each difference of probabilities taken between tails: equal on paper, and
# out of the money it keeps the digits that the printed form cancels.

cdef struct Terms:
    double years
    double split       # time of the change of boundary
    double carry
    double variance    # per year
    double dev_split   # deviation up to the change
    double dev         # deviation up to expiry
    double beta
    double low         # ln(later boundary / spot)
    double high        # ln(earlier boundary / spot)
    double at_strike   # ln(strike / spot)


cdef double both(double a, double b, bint negative) noexcept nogil:
    # P(X < a, Y < b), correlation sqrt(SPLIT) or its negative
    cdef double squares = a * a + b * b, product = 2.0 * a * b, total = 0.0
    cdef int i
    if negative:
        product = -product
    for i in range(NODES):
        total += SHARE[i] * exp((product * SINE[i] - squares) * HALF_COS2[i])
    return fmax(cdf(a) * cdf(b) + (-total if negative else total), 0.0)


cdef double trigger(double strike, double least, double excess, double carry, double vol, double years) noexcept nogil:
    # the boundary for a remaining life; it never falls under its value at expiry
    cdef double h
    if excess <= 0.0:
        return least
    h = -(carry * years + 2.0 * vol * sqrt(years)) * strike * strike / (excess * least)
    return least - excess * expm1(fmin(h, 0.0))


cdef double hit_early(const Terms* c, double gain) noexcept nogil:
    # exercised at the first boundary before the change
    cdef double mu = c.carry + (c.beta - 0.5) * c.variance
    cdef double kappa = 2.0 * c.carry / c.variance + 2.0 * c.beta - 1.0
    cdef double direct = cdf(-(c.high - mu * c.split) / c.dev_split)
    cdef double mirror = cdf((-c.high - mu * c.split) / c.dev_split)
    return gain * (scaled(-c.beta * c.high, direct) + scaled((kappa - c.beta) * c.high, mirror))


cdef double at_change(const Terms* c, double gamma) noexcept nogil:
    # exercised at the change, between the boundaries
    cdef double mu = c.carry + (gamma - 0.5) * c.variance
    cdef double kappa = 2.0 * c.carry / c.variance + 2.0 * gamma - 1.0
    cdef double drift = mu * c.split
    cdef double direct = cdf(-(c.low - drift) / c.dev_split) - cdf(-(c.high - drift) / c.dev_split)
    cdef double mirror = (cdf((-c.high - drift) / c.dev_split)
                          - cdf((c.low - 2.0 * c.high - drift) / c.dev_split))
    return direct - scaled(kappa * c.high, mirror)


cdef double hit_late(const Terms* c, double gain) noexcept nogil:
    # exercised at the second boundary after the change
    cdef double mu = c.carry + (c.beta - 0.5) * c.variance
    cdef double kappa = 2.0 * c.carry / c.variance + 2.0 * c.beta - 1.0
    cdef double a = mu * c.split, z = mu * c.years, base = -c.beta * c.low
    cdef double far = 2.0 * c.high - c.low, total
    total = scaled(base, both((c.low - a) / c.dev_split, (z - c.low) / c.dev, True))
    total -= scaled(base + kappa * c.high, both(-(far + a) / c.dev_split, (far + z) / c.dev, True))
    total += scaled(base + kappa * c.low, both((c.low + a) / c.dev_split, -(c.low + z) / c.dev, True))
    total -= scaled(base + kappa * (c.low - c.high),
                    both(-(far - a) / c.dev_split, (far - z) / c.dev, True))
    return gain * total


cdef double kept(const Terms* c, double gamma) noexcept nogil:
    # never exercised before expiry, less the European's share: what the boundaries take away
    cdef double mu = c.carry + (gamma - 0.5) * c.variance
    cdef double kappa = 2.0 * c.carry / c.variance + 2.0 * gamma - 1.0
    cdef double a = mu * c.split, z = mu * c.years
    cdef double low = c.low, high = c.high, k = c.at_strike, far = 2.0 * high - low
    cdef double e, total
    e = (a - low) / c.dev_split
    total = both(e, (k - z) / c.dev, True) - both(e, (low - z) / c.dev, True) - cdf((z - low) / c.dev)
    e = -(far + a) / c.dev_split
    total -= scaled(kappa * high, both(e, (low - 2.0 * high - z) / c.dev, False)
                    - both(e, (k - 2.0 * high - z) / c.dev, False))
    e = (low + a) / c.dev_split
    total -= scaled(kappa * low, both(e, (-low - z) / c.dev, True) - both(e, (k - 2.0 * low - z) / c.dev, True))
    e = -(far - a) / c.dev_split
    total += scaled(kappa * (low - high), both(e, (far - z) / c.dev, True)
                    - both(e, (k + 2.0 * (high - low) - z) / c.dev, True))
    return total


cdef double american_call(double spot, double strike, double years, double rate, double carry,
                          double vol) noexcept nogil:
    cdef Terms c
    cdef double value = european(1, spot, strike, years, rate, carry, vol)
    cdef double p, root, u, endless, least, first, second, early
    if rate - carry < NO_RATE or vol < NO_VOL or years < NO_TIME:
        return fmax(value, spot - strike)
    c.variance = vol * vol
    p = 0.5 * c.variance + carry
    root = sqrt(p * p + 2.0 * c.variance * (rate - carry))
    u = 2.0 * (rate - carry) / (p + root) if p > 0.0 else (root - p) / c.variance  # beta - 1
    endless = strike * (1.0 + 1.0 / u)
    least = fmax(strike, rate / (rate - carry) * strike)
    c.split = SPLIT * years
    first = trigger(strike, least, endless - least, carry, vol, years)
    second = fmin(trigger(strike, least, endless - least, carry, vol, c.split), first)
    if spot >= first:
        return fmax(value, spot - strike)
    c.years, c.carry, c.beta = years, carry, 1.0 + u
    c.dev_split, c.dev = vol * sqrt(c.split), vol * sqrt(years)
    c.low, c.high, c.at_strike = log_ratio(second, spot), log_ratio(first, spot), log_ratio(strike, spot)
    early = hit_early(&c, first - strike) + hit_late(&c, second - strike)
    early += spot * exp((carry - rate) * c.split) * at_change(&c, 1.0)
    early -= strike * exp(-rate * c.split) * at_change(&c, 0.0)
    early += spot * exp((carry - rate) * years) * kept(&c, 1.0)
    early -= strike * exp(-rate * years) * kept(&c, 0.0)
    return fmax(value + fmax(early, 0.0), spot - strike)


cdef inline double american(int sign, double spot, double strike, double years, double rate, double carry,
                            double vol) noexcept nogil:
    # a put is a call on the strike, paid in the underlying; to the last bit it is worth its European
    if sign > 0:
        return american_call(spot, strike, years, rate, carry, vol)
    return fmax(american_call(strike, spot, years, rate - carry, -carry, vol),
                european(sign, spot, strike, years, rate, carry, vol))


cdef inline bint usable(int sign, double spot, double strike, double years, double rate, double carry,
                        double vol) noexcept nogil:
    # far beyond any market, and near enough that nothing overflows
    return ((sign == 1 or sign == -1) and 1e-12 <= spot <= 1e12 and 1e-12 <= strike <= 1e12 and 0.0 <= years <= 1000.0
            and 0.0 <= vol <= 100.0 and (fabs(rate) + fabs(carry)) * fmax(years, 1.0) <= 100.0)


cdef inline double one_price(int model, int sign, double spot, double strike, double years, double rate,
                             double carry, double vol) noexcept nogil:
    if model == AMERICAN:
        return american(sign, spot, strike, years, rate, carry, vol)
    return european(sign, spot, strike, years, rate, carry, vol)


cdef double one_delta(int model, int sign, double spot, double strike, double years, double rate,
                      double carry, double vol) noexcept nogil:
    cdef double up, down
    if model == EUROPEAN:
        return european_delta(sign, spot, strike, years, rate, carry, vol)
    up = american(sign, spot * (1.0 + BUMP), strike, years, rate, carry, vol)
    down = american(sign, spot * (1.0 - BUMP), strike, years, rate, carry, vol)
    return (up - down) / (2.0 * BUMP * spot)


cdef double one_vol(int model, int sign, double spot, double strike, double years, double rate,
                    double carry, double price) noexcept nogil:
    # prices never fall as vol rises: halve
    cdef double low = LEAST_VOL, high = MOST_VOL, middle
    cdef int i
    if not (one_price(model, sign, spot, strike, years, rate, carry, low) < price
            < one_price(model, sign, spot, strike, years, rate, carry, high)):
        return NAN
    for i in range(HALVINGS):
        middle = 0.5 * (low + high)
        if one_price(model, sign, spot, strike, years, rate, carry, middle) < price:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


cdef int64_t checked(int model, const int8_t[::1] sign, const double[::1] spot, const double[::1] strike,
                     const double[::1] years, const double[::1] rate, const double[::1] carry,
                     const double[::1] given, const double[::1] out) except -1:
    cdef int64_t n = sign.shape[0]
    if model != EUROPEAN and model != AMERICAN:
        raise ValueError(f"model: 0 (European) or 1 (American), got {model}")
    if not (spot.shape[0] == strike.shape[0] == years.shape[0] == rate.shape[0] == carry.shape[0]
            == given.shape[0] == out.shape[0] == n):
        raise ValueError("columns: equal lengths wanted")
    return n


def price_columns(int model, const int8_t[::1] sign, const double[::1] spot, const double[::1] strike,
                  const double[::1] years, const double[::1] rate, const double[::1] carry,
                  const double[::1] vol, double[::1] price, double[::1] delta):
    """Prices and deltas of options, written into `price` and `delta`; NaN where an input makes no sense.

    `model` 0 is European, 1 American (Bjerksund-Stensland 2002); `sign` is 1 for a call, -1 for a put; `years` to expiry;
    `rate`, `carry` and `vol` per year, continuous. On a future (Black-76) `spot` is its price and `carry` 0. ValueError for
    columns of unequal lengths or an unknown model.
    """
    cdef int64_t i, n = checked(model, sign, spot, strike, years, rate, carry, vol, price)
    if delta.shape[0] != n:
        raise ValueError("columns: equal lengths wanted")
    with nogil:
        for i in range(n):
            if not usable(sign[i], spot[i], strike[i], years[i], rate[i], carry[i], vol[i]):
                price[i] = NAN
                delta[i] = NAN
                continue
            price[i] = one_price(model, sign[i], spot[i], strike[i], years[i], rate[i], carry[i], vol[i])
            delta[i] = one_delta(model, sign[i], spot[i], strike[i], years[i], rate[i], carry[i], vol[i])


def vol_columns(int model, const int8_t[::1] sign, const double[::1] spot, const double[::1] strike,
                const double[::1] years, const double[::1] rate, const double[::1] carry,
                const double[::1] price, double[::1] vol):
    """Vols under which the model gives these prices, written into `vol`; NaN where none from 0.0001 to 8 does.

    Arguments and errors as in `price_columns`.
    """
    cdef int64_t i, n = checked(model, sign, spot, strike, years, rate, carry, price, vol)
    with nogil:
        for i in range(n):
            if usable(sign[i], spot[i], strike[i], years[i], rate[i], carry[i], 1.0) and isfinite(price[i]):
                vol[i] = one_vol(model, sign[i], spot[i], strike[i], years[i], rate[i], carry[i], price[i])
            else:
                vol[i] = NAN
