// A program that replaces only some forms of operator new and delete: blocks carry a header, so
// they must come back to the same form.
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "victim.h"

static long live;

void *operator new(std::size_t size)
{
    auto *block = static_cast<std::size_t *>(std::malloc(size + 32));
    if (block == nullptr)
        throw std::bad_alloc();
    block[0] = 0x1eaf;
    live++;
    return block + 4;
}

void operator delete(void *pointer) noexcept
{
    if (pointer == nullptr)
        return;
    auto *block = static_cast<std::size_t *>(pointer) - 4;
    CHECK(block[0] == 0x1eaf);
    live--;
    std::free(block);
}

void operator delete(void *pointer, std::size_t) noexcept
{
    operator delete(pointer);
}

int main()
{
    long before = live;
    {
        std::vector<std::string> texts;
        for (int i = 0; i < 500; i++)
            texts.push_back(std::string(100, 'x'));
        delete[] new int[50];
        delete new (std::nothrow) int(5);
    }
    SAY("left %ld\n", live - before);
    return victim_end();
}
