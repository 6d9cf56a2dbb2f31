/* The tutorial's fit in plain C: the floor for workload W1.

   X (800, 1, 4) -> SimpleRNN(32, relu) -> Dense(8, relu) -> Dense(1), mean squared error, RMSprop, batch 16,
   shuffled every epoch. One flat vector of 1,457 weights in Keras' order, one sample at a time, inner loops over
   contiguous memory so that `gcc -O3` vectorises them. With one time step and h0 = 0 the recurrent product is zero
   and left out; the recurrent kernel, whose gradient is zero, goes through RMSprop like every other weight.

   Use:   w1 EPOCHS SAMPLES own|given < data     (SAMPLES: a multiple of 16, at most 800)
   Data:  float32 weights (1457), X (SAMPLES x 4), y (SAMPLES); with "given", also int32 permutations (EPOCHS x SAMPLES).
   Prints the wall time and the processor time of the fit alone, then the mean training loss of every epoch, then the
   weights. */

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST = 800, FEATURES = 4, UNITS = 32, HIDDEN = 8, BATCH = 16 };

typedef struct {
    float kernel[FEATURES][UNITS], recurrent_kernel[UNITS][UNITS], bias[UNITS]; /* SimpleRNN */
    float kernel_1[UNITS][HIDDEN], bias_1[HIDDEN];                              /* Dense(8)  */
    float kernel_2[HIDDEN], bias_2;                                             /* Dense(1)  */
} Weights;

enum { COUNT = sizeof(Weights) / sizeof(float) };

static const float LEARNING_RATE = 1e-3f, RHO = 0.9f, EPSILON = 1e-7f;

static Weights w, g, v; /* weights, gradients, RMSprop's moving mean of squared gradients */
static float X[MOST][FEATURES], Y[MOST], X_SHUFFLED[MOST][FEATURES], Y_SHUFFLED[MOST];
static int N; /* samples */

/* Forward and backward of one sample: adds its gradients to g and returns its squared error. */
static float sample(const float *restrict x, float y)
{
    float h[UNITS], d_h[UNITS], a[HIDDEN], d_a[HIDDEN];

    /* h = relu(x K + b);  a = relu(h K1 + b1);  y_pred = a . K2 + b2 */
    memcpy(h, w.bias, sizeof h);
    for (int i = 0; i < FEATURES; i++)
        for (int j = 0; j < UNITS; j++) h[j] += x[i] * w.kernel[i][j];
    for (int j = 0; j < UNITS; j++) h[j] = h[j] > 0 ? h[j] : 0;

    memcpy(a, w.bias_1, sizeof a);
    for (int j = 0; j < UNITS; j++)
        for (int k = 0; k < HIDDEN; k++) a[k] += h[j] * w.kernel_1[j][k];
    for (int k = 0; k < HIDDEN; k++) a[k] = a[k] > 0 ? a[k] : 0;

    float y_pred = w.bias_2;
    for (int k = 0; k < HIDDEN; k++) y_pred += a[k] * w.kernel_2[k];

    /* loss = (y_pred - y)^2 / BATCH, backwards through the same lines */
    const float error = y_pred - y, d_y = 2 * error / BATCH;
    g.bias_2 += d_y;
    for (int k = 0; k < HIDDEN; k++) {
        g.kernel_2[k] += d_y * a[k];
        d_a[k] = a[k] > 0 ? d_y * w.kernel_2[k] : 0;
        g.bias_1[k] += d_a[k];
    }
    for (int j = 0; j < UNITS; j++) {
        float sum = 0;
        for (int k = 0; k < HIDDEN; k++) {
            g.kernel_1[j][k] += h[j] * d_a[k];
            sum += w.kernel_1[j][k] * d_a[k];
        }
        d_h[j] = h[j] > 0 ? sum : 0;
    }
    for (int j = 0; j < UNITS; j++) g.bias[j] += d_h[j];
    for (int i = 0; i < FEATURES; i++)
        for (int j = 0; j < UNITS; j++) g.kernel[i][j] += x[i] * d_h[j];
    return error * error;
}

/* v = rho v + (1 - rho) g^2;  w -= lr g / sqrt(v + eps) */
static void rmsprop(void)
{
    float *restrict weight = (float *)&w, *restrict mean = (float *)&v;
    const float *restrict gradient = (const float *)&g;
    for (int i = 0; i < COUNT; i++) {
        mean[i] = RHO * mean[i] + (1 - RHO) * gradient[i] * gradient[i];
        weight[i] -= LEARNING_RATE * gradient[i] / sqrtf(mean[i] + EPSILON);
    }
}

static void shuffle(int32_t *order)
{
    for (int i = N - 1; i > 0; i--) {
        const int j = rand() % (i + 1);
        const int32_t last = order[i];
        order[i] = order[j];
        order[j] = last;
    }
}

static float epoch(const int32_t *order)
{
    for (int i = 0; i < N; i++) {
        memcpy(X_SHUFFLED[i], X[order[i]], sizeof X[0]);
        Y_SHUFFLED[i] = Y[order[i]];
    }
    float loss = 0;
    for (int start = 0; start < N; start += BATCH) {
        memset(&g, 0, sizeof g);
        for (int i = start; i < start + BATCH; i++) loss += sample(X_SHUFFLED[i], Y_SHUFFLED[i]);
        rmsprop();
    }
    return loss / N;
}

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec + 1e-9 * now.tv_nsec;
}

static void read_exactly(void *to, size_t bytes)
{
    if (fread(to, 1, bytes, stdin) != bytes) {
        fprintf(stderr, "w1: the data on standard input is too short\n");
        exit(2);
    }
}

int main(int argc, char **argv)
{
    const int epochs = argc == 4 ? atoi(argv[1]) : 0;
    N = argc == 4 ? atoi(argv[2]) : 0;
    if (epochs < 1 || N < BATCH || N > MOST || N % BATCH) {
        fprintf(stderr, "use: w1 EPOCHS SAMPLES own|given < data\n");
        return 2;
    }
    const int given = strcmp(argv[3], "given") == 0;
    int32_t *orders = malloc(sizeof(int32_t) * N * (given ? epochs : 1));
    float *losses = malloc(sizeof(float) * epochs);
    if (!orders || !losses) return 2;
    read_exactly(&w, sizeof w);
    read_exactly(X, sizeof X[0] * N);
    read_exactly(Y, sizeof Y[0] * N);
    if (given)
        read_exactly(orders, sizeof(int32_t) * N * epochs);
    else
        for (int i = 0; i < N; i++) orders[i] = i;

    const double wall = seconds(CLOCK_MONOTONIC), processor = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (int e = 0; e < epochs; e++) {
        if (!given) shuffle(orders);
        losses[e] = epoch(given ? orders + (size_t)e * N : orders);
    }
    printf("%.9f %.9f\n", seconds(CLOCK_MONOTONIC) - wall, seconds(CLOCK_PROCESS_CPUTIME_ID) - processor);
    for (int e = 0; e < epochs; e++) printf("%.9g\n", losses[e]);
    for (int i = 0; i < COUNT; i++) printf("%.9g\n", ((const float *)&w)[i]);
    free(orders);
    free(losses);
    return 0;
}
