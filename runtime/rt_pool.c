/* The thread pool behind nn_parallel. One job at a time; the thread that brings it works too.
 *
 * Each thread starts on a contiguous share of the chunks, the same one for equal jobs, so that what it
 * touches is still in its cache; a thread that is done takes chunks from the others' shares, the last of them
 * only if its owner doesn't come for it soon. A worker that is not awake in time is not waited for: `state`
 * says how many workers are inside the job, and nobody enters after it was closed. Workers spin for a moment
 * after a job, since the next one usually follows within microseconds, then sleep. */
#include "rt.h"
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

/* Seconds of spinning before sleep: waking a thread takes as long (16–60 µs). And before a share's last chunk
 * is taken from its owner: most chunks take less, and an owner that lost its CPU isn't back for milliseconds.
 */
static const double SPIN_SECONDS = 50e-6, LEFT_SECONDS = 20e-6;

/* state: job number × NUMBER + OPEN while workers may enter + workers inside. */
enum { OPEN = 1 << 15, INSIDE = OPEN - 1, NUMBER = 1 << 16, MAX_THREADS = 1024 };

typedef struct {
    _Alignas(64) _Atomic int64_t next; /* own cache line: every chunk changes it */
    int64_t end;
    _Atomic bool entered; /* its owner is at work */
} Share;

typedef struct {
    rt_pool *pool;
    int32_t index; /* of its share; the caller of nn_parallel is 0 */
    pthread_t thread;
} Worker;

struct rt_pool {
    _Alignas(64) _Atomic uint64_t state;
    /* The job; written only while nobody is inside. */
    _Alignas(64) nn_kernel *kernel;
    void *const *args;
    nn_rt *rt;
    Share *share; /* one per thread */
    int32_t threads;
    bool spin; /* every thread has a CPU for itself */
    Worker *workers;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    _Atomic int32_t sleepers;
    _Atomic bool quit;
};

/* A parallel call from inside a kernel runs inline. */
static _Thread_local bool inside_job;

static void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void run_inline(nn_rt *rt, nn_kernel *kernel, void *const *args, int64_t chunks) {
    for (int64_t chunk = 0; chunk < chunks; chunk++) kernel(rt, args, chunk);
}

/* Is one chunk left of a share whose owner is at work? */
static bool is_last_of_busy(Share *share) {
    return share->end - atomic_load_explicit(&share->next, memory_order_relaxed) == 1 &&
           atomic_load_explicit(&share->entered, memory_order_relaxed);
}

/* Leaves the last chunk of a share to an owner that is at work, for a while: what another core writes is slow
 * to come, and slow to come back to the owner, whose lines these are, the next time. */
static void leave_last(const rt_pool *pool, Share *share) {
    if (!pool->spin || !is_last_of_busy(share)) return;
    double end = rt_now() + LEFT_SECONDS;
    do {
        for (int i = 0; i < 8; i++) {
            if (!is_last_of_busy(share)) return;
            relax();
        }
    } while (rt_now() < end);
}

/* Works until no share has a chunk left, own share first. */
static void work(rt_pool *pool, int32_t self) {
    inside_job = true;
    atomic_store_explicit(&pool->share[self].entered, true, memory_order_relaxed);
    for (int32_t i = 0; i < pool->threads; i++) {
        Share *share = &pool->share[(self + i) % pool->threads];
        for (;;) {
            if (i > 0) leave_last(pool, share);
            int64_t chunk = atomic_fetch_add_explicit(&share->next, 1, memory_order_relaxed);
            if (chunk >= share->end) break;
            pool->kernel(pool->rt, pool->args, chunk);
        }
    }
    inside_job = false;
}

/* --- workers */
static bool has_news(rt_pool *pool, uint64_t seen) {
    return atomic_load(&pool->state) / NUMBER != seen || atomic_load(&pool->quit);
}

static void sleep_until_news(rt_pool *pool, uint64_t seen) {
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->sleepers,
                     1); /* before the look at `state`: publish() does it the other way round */
    while (!has_news(pool, seen)) pthread_cond_wait(&pool->wake, &pool->mutex);
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->mutex);
}

static void wait_for_news(rt_pool *pool, uint64_t seen) {
    if (pool->spin) {
        double end = rt_now() + SPIN_SECONDS;
        do {
            for (int i = 0; i < 64; i++) {
                if (has_news(pool, seen)) return;
                relax();
            }
        } while (rt_now() < end);
    }
    if (!has_news(pool, seen)) sleep_until_news(pool, seen);
}

/* Enters the current job if it is still open. */
static bool enter(rt_pool *pool, uint64_t *seen) {
    uint64_t state = atomic_load(&pool->state);
    for (;;) {
        *seen = state / NUMBER;
        if (!(state & OPEN)) return false;
        if (atomic_compare_exchange_weak(&pool->state, &state, state + 1)) return true;
    }
}

static void *run_worker(void *argument) {
    Worker *self = argument;
    rt_pool *pool = self->pool;
    uint64_t seen = 0;
    for (;;) {
        wait_for_news(pool, seen);
        if (atomic_load(&pool->quit)) break;
        if (enter(pool, &seen)) {
            work(pool, self->index);
            atomic_fetch_sub(&pool->state, 1);
        }
    }
    rt_scratch_free();
    return NULL;
}

/* --- the caller */
static void divide(rt_pool *pool, int64_t chunks) {
    int64_t each = chunks / pool->threads, rest = chunks % pool->threads, from = 0;
    for (int32_t i = 0; i < pool->threads; i++) {
        atomic_store_explicit(&pool->share[i].next, from, memory_order_relaxed);
        from += each + (i < rest);
        pool->share[i].end = from;
        atomic_store_explicit(&pool->share[i].entered, false, memory_order_relaxed);
    }
}

static void publish(rt_pool *pool) {
    uint64_t number = atomic_load(&pool->state) / NUMBER + 1;
    atomic_store(&pool->state, number * NUMBER + OPEN);
    if (atomic_load(&pool->sleepers) > 0) {
        pthread_mutex_lock(&pool->mutex);
        pthread_cond_broadcast(&pool->wake);
        pthread_mutex_unlock(&pool->mutex);
    }
}

static void close_and_wait(rt_pool *pool) {
    atomic_fetch_sub(&pool->state, OPEN);
    for (int turn = 0; atomic_load(&pool->state) & INSIDE; turn++) {
        if (pool->spin && turn < 4096)
            relax();
        else
            sched_yield();
    }
}

/* Starts `count` workers; fewer where the system refuses. */
static void start_workers(rt_pool *pool, int32_t count) {
    pool->workers = rt_allocate((size_t)count * sizeof *pool->workers);
    int32_t started = 0;
    while (started < count) {
        Worker *worker = &pool->workers[started];
        worker->pool = pool;
        worker->index = started + 1;
        if (pthread_create(&worker->thread, NULL, run_worker, worker) != 0) break;
        started++;
    }
    pool->threads = started + 1;
}

static rt_pool *pool_new(int32_t threads) {
    rt_pool *pool = rt_allocate_aligned(sizeof *pool);
    *pool = (rt_pool){.threads = threads, .spin = threads <= rt_cpus()};
    pool->share = rt_allocate_aligned((size_t)threads * sizeof *pool->share);
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    start_workers(pool, threads - 1);
    return pool;
}

int32_t rt_threads(nn_rt *rt) {
    if (rt->threads == 0) rt->threads = rt_cpus();
    if (rt->threads > MAX_THREADS) rt->threads = MAX_THREADS;
    return rt->threads;
}

void nn_parallel(nn_rt *rt, nn_kernel *kernel, void *const *args, int64_t chunks) {
    if (chunks <= 1 || inside_job || rt_threads(rt) == 1) {
        run_inline(rt, kernel, args, chunks);
        return;
    }
    if (!rt->pool) rt->pool = pool_new(rt->threads);
    rt_pool *pool = rt->pool;
    pool->rt = rt;
    pool->kernel = kernel;
    pool->args = args;
    divide(pool, chunks);
    publish(pool);
    work(pool, 0);
    close_and_wait(pool);
}

void rt_pool_free(nn_rt *rt) {
    rt_pool *pool = rt->pool;
    if (!pool) return;
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->quit, true);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
    for (int32_t i = 0; i < pool->threads - 1; i++) pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->workers);
    free(pool->share);
    free(pool);
    rt->pool = NULL;
}
