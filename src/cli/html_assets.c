#include "cli/html_assets.h"

#include <string.h>

/* The assembler takes the files as they are: no generated source, and nothing to compile that is
 * as long as they are. LEAKSHIM_SOURCE_DIR is where the sources lie while this is built. */
#define ASSET(symbol, path)                                                                        \
    __asm__(".pushsection .rodata\n"                                                               \
            ".hidden " #symbol "_begin\n.global " #symbol "_begin\n" #symbol "_begin:\n"           \
            ".incbin \"" LEAKSHIM_SOURCE_DIR "/" path "\"\n"                                       \
            ".hidden " #symbol "_end\n.global " #symbol "_end\n" #symbol "_end:\n"                 \
            ".byte 0\n.popsection\n");                                                             \
    extern const char symbol##_begin[];                                                            \
    extern const char symbol##_end[]

ASSET(asset_page, "src/cli/html/page.html");
ASSET(asset_style, "src/cli/html/style.css");
ASSET(asset_units, "src/cli/html/units.js");
ASSET(asset_dom, "src/cli/html/dom.js");
ASSET(asset_charts, "src/cli/html/charts.js");
ASSET(asset_sites, "src/cli/html/sites.js");
ASSET(asset_flame, "src/cli/html/flame.js");
ASSET(asset_sections, "src/cli/html/sections.js");
ASSET(asset_story, "src/cli/html/story.js");
ASSET(asset_boot, "src/cli/html/boot.js");
ASSET(asset_uplot_script, "third_party/uplot/uPlot.iife.min.js");
ASSET(asset_uplot_licence, "third_party/uplot/LICENSE");
ASSET(asset_uplot_style, "third_party/uplot/uPlot.min.css");

static const struct {
    const char *name;
    const char *begin;
    const char *end;
} assets[] = {
    {"page.html", asset_page_begin, asset_page_end},
    {"style.css", asset_style_begin, asset_style_end},
    {"units.js", asset_units_begin, asset_units_end},
    {"dom.js", asset_dom_begin, asset_dom_end},
    {"charts.js", asset_charts_begin, asset_charts_end},
    {"sites.js", asset_sites_begin, asset_sites_end},
    {"flame.js", asset_flame_begin, asset_flame_end},
    {"sections.js", asset_sections_begin, asset_sections_end},
    {"story.js", asset_story_begin, asset_story_end},
    {"boot.js", asset_boot_begin, asset_boot_end},
    {"uPlot.iife.min.js", asset_uplot_script_begin, asset_uplot_script_end},
    {"LICENSE", asset_uplot_licence_begin, asset_uplot_licence_end},
    {"uPlot.min.css", asset_uplot_style_begin, asset_uplot_style_end},
};

bool ls_html_asset(const char *name, size_t name_length, struct ls_html_asset *asset)
{
    for (size_t i = 0; i < sizeof(assets) / sizeof(assets[0]); i++) {
        if (strlen(assets[i].name) == name_length &&
            memcmp(assets[i].name, name, name_length) == 0) {
            *asset = (struct ls_html_asset){
                .bytes = assets[i].begin,
                .length = (size_t)(assets[i].end - assets[i].begin),
            };
            return true;
        }
    }
    return false;
}
