/* As much of OpenSlide's C API as the reader uses, over slides that are text files: their first letter says what happens. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  char kind;
  const char* error;
} openslide_t;

static char first_letter(const char* path) {
  FILE* file = fopen(path, "r");
  if (!file) return 0;
  const int letter = fgetc(file);
  fclose(file);
  return letter == EOF ? 0 : (char)letter;
}

const char* openslide_get_version(void) { return "4.9.fake"; }
const char* openslide_detect_vendor(const char* path) {
  const char letter = first_letter(path);
  return letter == 'S' || letter == 'E' || letter == 'N' ? "fake" : NULL;
}
openslide_t* openslide_open(const char* path) {
  const char letter = first_letter(path);
  if (letter == 'N') return NULL;
  openslide_t* slide = calloc(1, sizeof *slide);
  slide->kind = letter;
  if (letter == 'E') slide->error = "the fake is broken";
  return slide;
}
void openslide_close(openslide_t* slide) { free(slide); }
const char* openslide_get_error(openslide_t* slide) { return slide->error; }
int32_t openslide_get_level_count(openslide_t* slide) { return slide->error ? -1 : 2; }
void openslide_get_level_dimensions(openslide_t* slide, int32_t level, int64_t* width, int64_t* height) {
  (void)slide;
  *width = level ? 100 : 401;
  *height = level ? 75 : 300;
}
/* The mean of the two quotients, as the real one has it: 4.005. */
double openslide_get_level_downsample(openslide_t* slide, int32_t level) {
  (void)slide;
  return level ? (401.0 / 100 + 300.0 / 75) / 2 : 1;
}
/* Red tells the column and green the row of the level, blue the level; the left half is half transparent. */
void openslide_read_region(openslide_t* slide, uint32_t* into, int64_t x, int64_t y, int32_t level, int64_t width,
                           int64_t height) {
  const double downsample = openslide_get_level_downsample(slide, level);
  const int64_t left = (int64_t)(x / downsample + 0.5), top = (int64_t)(y / downsample + 0.5);
  if (slide->error) return;
  if (left <= 350 && left + width > 350 && level == 0) {
    slide->error = "column 350 is unreadable";
    return;
  }
  for (int64_t row = 0; row < height; ++row) {
    for (int64_t column = 0; column < width; ++column) {
      const uint32_t red = (uint32_t)(left + column) & 63, green = (uint32_t)(top + row) & 63;
      const uint32_t alpha = left + column < 10 ? 128 : 255;
      into[row * width + column] = alpha << 24 | red << 16 | green << 8 | (uint32_t)level;
    }
  }
}
static const char* names[] = {"openslide.mpp-x", "openslide.mpp-y", "openslide.objective-power", NULL};
const char* const* openslide_get_property_names(openslide_t* slide) {
  (void)slide;
  return names;
}
const char* openslide_get_property_value(openslide_t* slide, const char* name) {
  (void)slide;
  return strcmp(name, "openslide.objective-power") == 0 ? "40" : "0.25";
}
static const char* images[] = {"label", "macro", NULL};
const char* const* openslide_get_associated_image_names(openslide_t* slide) {
  (void)slide;
  return images;
}
