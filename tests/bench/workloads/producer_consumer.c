/*
 * Producers allocate blocks of random sizes and hand them over in batches; consumers read and free
 * them. Every block is freed by a thread that did not allocate it, and some threads never free
 * while others never allocate.
 *
 *   --couples N   producers, and as many consumers
 *   --batches N   from each producer
 *   --batch N     blocks of a batch
 *   --largest B   sizes are 16 to this
 */
#include <pthread.h>

#include "workload.h"

#define QUEUE_BATCHES 32

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t **batches[QUEUE_BATCHES];
    unsigned taken;
    unsigned given;
    OWN_LINES uint64_t random; /* the producer's */
    OWN_LINES uint64_t sum;    /* the consumer's */
} OWN_LINES;

static struct queue queues[WORKLOAD_THREADS / 2];
static pthread_t threads[WORKLOAD_THREADS];

static long couple_count, batch_count, batch_size, largest;

static void give(struct queue *queue, uint64_t **batch)
{
    pthread_mutex_lock(&queue->lock);
    while (queue->given - queue->taken == QUEUE_BATCHES)
        pthread_cond_wait(&queue->changed, &queue->lock);
    queue->batches[queue->given++ % QUEUE_BATCHES] = batch;
    pthread_cond_signal(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

static uint64_t **take(struct queue *queue)
{
    uint64_t **batch;

    pthread_mutex_lock(&queue->lock);
    while (queue->given == queue->taken)
        pthread_cond_wait(&queue->changed, &queue->lock);
    batch = queue->batches[queue->taken++ % QUEUE_BATCHES];
    pthread_cond_signal(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
    return batch;
}

static void *produce(void *context)
{
    struct queue *queue = context;

    for (long i = 0; i < batch_count; i++) {
        uint64_t **batch = workload_allocate((size_t)batch_size * sizeof(*batch));

        for (long block = 0; block < batch_size; block++) {
            uint64_t random = workload_random(&queue->random);
            size_t size = 16 + (random >> 20) % (uint64_t)(largest - 15);

            batch[block] = workload_allocate(size);
            *batch[block] = random;
        }
        give(queue, batch);
    }
    return NULL;
}

static void *consume(void *context)
{
    struct queue *queue = context;

    for (long i = 0; i < batch_count; i++) {
        uint64_t **batch = take(queue);

        for (long block = 0; block < batch_size; block++) {
            queue->sum += *batch[block];
            free(batch[block]);
        }
        free(batch);
    }
    return NULL;
}

int main(int count, char **values)
{
    uint64_t checksum = 0;
    struct workload_clock start = workload_start();

    couple_count = workload_option(count, values, "couples", 1);
    batch_count = workload_option(count, values, "batches", 10000);
    batch_size = workload_option(count, values, "batch", 128);
    largest = workload_option(count, values, "largest", 512);
    if (couple_count < 1 || couple_count > WORKLOAD_THREADS / 2 || batch_size < 1 || largest < 16)
        workload_fail("producer_consumer: an argument is out of range");

    for (long i = 0; i < couple_count; i++) {
        queues[i].random = 0x9e3779b97f4a7c15u + (uint64_t)i;
        pthread_mutex_init(&queues[i].lock, NULL);
        pthread_cond_init(&queues[i].changed, NULL);
        if (pthread_create(&threads[2 * i], NULL, produce, &queues[i]) != 0 ||
            pthread_create(&threads[2 * i + 1], NULL, consume, &queues[i]) != 0)
            workload_fail("producer_consumer: no thread");
    }
    for (long i = 0; i < 2 * couple_count; i++)
        pthread_join(threads[i], NULL);
    for (long i = 0; i < couple_count; i++)
        checksum = workload_mix(checksum, queues[i].sum);
    return workload_done(start, (uint64_t)(couple_count * batch_count * batch_size), checksum);
}
