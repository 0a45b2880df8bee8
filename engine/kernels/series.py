"""What the compiled and the exact backend compute exp, expm1, log and erf from: numbers that stand for themselves.

docs/arithmetic.md says how they are used. Every backend that follows it gives the same bits.
"""

from math import factorial

ROOT_TWO = 1.4142135623730951
LOG2_E = 1.4426950408889634
# ln 2 in two parts: the first has 21 zeros at its end, so that a product with a whole number below 2^21 is exact.
LN2_HIGH = float.fromhex("0x1.62e42fee00000p-1")
LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
# Added to a float64 of absolute value below 2^51, it rounds it to a whole number, which its last bits then hold.
ROUNDER = 1.5 * 2.0**52
LOWEST, HIGHEST = -708.0, 709.0  # exponents beyond which exp is no normal float64, and for float32 0 or infinity

# Highest power first, as Horner's scheme takes them. exp(r) is the sum of r^k / k!, for |r| up to ln(2) / 2:
EXP = tuple(1 / factorial(k) for k in range(13, -1, -1))
EXPM1 = EXP[:-1]  # (exp(r) - 1) / r
# log((1 + s) / (1 - s)) is 2 s times the sum of s^2k / (2 k + 1), for |s| up to 0.1716:
LOG = tuple(1 / (2 * k + 1) for k in range(11, -1, -1))
# erf(x) / x as a quotient of two polynomials in x^2, for |x| up to 4 within 9e-12 of it, and 1 in float32 beyond.
# Fitted by weighted least squares with 60 digits, weights raised where the error was largest (Lawson 1961).
LARGEST = 4.0
ERF_ABOVE = (
    3.005625440703398e-09,
    7.519633213486706e-07,
    2.173566743179866e-05,
    0.0005125461825589535,
    0.004955335053060624,
    0.05809532536693303,
    0.200204327227869,
    1.1283791670867709,
)
ERF_BELOW = (
    7.327718361841098e-08,
    4.5098887305002265e-06,
    0.00011134409418432131,
    0.001713254200500434,
    0.0177047203561927,
    0.12173891120401815,
    0.5107597983095907,
    1.0,
)

# The same in float32, for what is rounded to it anyway: exp(x) for x from -87 to 0, right to 2 units of the last place.
# 0.693359375 has 15 zeros at its end, so that its product with a whole number down to -126 is exact.
LN2_HIGH32, LN2_LOW32 = 0.693359375, -0.00021219444
ROUNDER32 = 1.5 * 2.0**23
LOWEST32 = -87.0
EXP32 = EXP[-8:]
LOG32 = LOG[-9:]  # for |s| up to 1 / 3
