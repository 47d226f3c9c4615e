/* Stands in for a shim that keeps the lowest descriptor for itself. */
#include <fcntl.h>
#include <unistd.h>

__attribute__((constructor)) static void start(void)
{
    (void)!open("/dev/null", O_RDONLY | O_CLOEXEC);
}
