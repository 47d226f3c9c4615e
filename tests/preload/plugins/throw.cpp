// A C++ library that is loaded late: throws, catches by itself, and catches what a callback throws.
#include <stdexcept>
#include <string>

extern "C" {
__attribute__((visibility("default"))) void plugin_throw();
__attribute__((visibility("default"))) int plugin_catch(int (*callback)());
__attribute__((visibility("default"))) int plugin_throw_and_catch();
}

void plugin_throw()
{
    std::string owned(300, 'p');
    throw std::logic_error("from the plugin");
}

int plugin_catch(int (*callback)())
{
    std::string owned(300, 'q');
    try {
        return callback();
    } catch (const std::logic_error &) {
        return 77;
    }
}

int plugin_throw_and_catch()
{
    try {
        plugin_throw();
    } catch (const std::exception &error) {
        return std::string(error.what()) == "from the plugin" ? 1234 : 1;
    }
    return 2;
}
