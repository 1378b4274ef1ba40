/* format/dicom/deid/clean.c: clean.h: the list of words, and what counts as a measure. The list names body parts, directions, kinds of
 * scans and contrast: what a network needs of a description. What is not in it goes, so that a name cannot stay by being unknown.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "clean.h"

enum { MOST_WORD = 24, MOST_DIGITS = 3 };

/* clang-format off */
/* Ascending. */
static const char *const words[] = {
    "abd", "abdomen", "abdominal", "ablation", "abscess", "absolute", "ac", "acpc", "acquisition",
    "acute", "adc", "adrenal", "aif", "air", "alveolar", "amygdala", "anat", "anatomic", "anatomical",
    "anatomy", "and", "aneurysm", "aneurysms", "angio", "angiogram", "angiography", "angle", "ankle",
    "annotation", "anterior", "aorta", "aortic", "ap", "apex", "apical", "appendix", "arch", "arm",
    "arterial", "arteries", "artery", "ascending", "asir", "asl", "at", "atrial", "atrium",
    "attenuation", "auto", "averaging", "axial", "axilla", "axillary", "b", "b0", "b100", "b1000",
    "b2000", "b400", "b50", "b500", "b600", "b700", "b800", "back", "basal", "base", "baseline",
    "basilar", "beam", "bh", "bilat", "bilateral", "biliary", "biopsy", "bladder", "bleed", "blood",
    "body", "bodypart", "bold", "bone", "bones", "border", "bowel", "brachial", "brain", "breast",
    "breasts", "breath", "breathhold", "bronchial", "bronchus", "bssfp", "bw", "by", "bypass",
    "calcaneus", "calcification", "calcium", "calf", "cardiac", "carotid", "carpal", "cartilage",
    "caudal", "caudate", "cavity", "cbf", "cbv", "cc", "cecum", "celiac", "cerebellum", "cerebral",
    "cervical", "chest", "cine", "circ", "circle", "ciss", "clavicle", "cm", "coccyx", "coil", "colon",
    "color", "colour", "column", "common", "composite", "compressed", "cone", "contrast", "cor",
    "coronal", "coronary", "corpus", "corrected", "correction", "cortex", "cortical", "crani",
    "cranial", "craniocaudal", "craniofacial", "cranium", "cross", "csf", "ct", "cta", "ctac", "cube",
    "curved", "cyst", "dark", "decubitus", "deep", "default", "deform", "deg", "delay", "delayed",
    "dense", "density", "dental", "derived", "descending", "diagnostic", "diaphragm", "diastolic",
    "diffusion", "digit", "digital", "dir", "discogram", "dist", "distal", "dixon", "dls", "doppler",
    "dorsal", "dose", "double", "drr", "dsa", "dsc", "dti", "dual", "duct", "duodenum", "dw", "dwi",
    "dynamic", "dynamics", "e", "eadc", "ear", "ecg", "echo", "edema", "edge", "effusion", "ejection",
    "elbow", "embolism", "emission", "endo", "enhanced", "enteric", "epi", "epicardial", "epidural",
    "erect", "esophagus", "exam", "exp", "expiration", "expiratory", "extension", "extremities",
    "extremity", "eye", "fa", "face", "facial", "fascia", "fast", "fat", "fatsat", "fbp", "fdg", "feet",
    "femoral", "femur", "fetal", "ff", "ffe", "fibula", "field", "fiesta", "film", "filter", "filtered",
    "fine", "finger", "fingers", "first", "fisp", "fissure", "fl2d", "fl3d", "flair", "flash",
    "flexion", "flow", "flt", "fluid", "fluoro", "fluoroscopy", "fmri", "foot", "for", "forearm",
    "forefoot", "fossa", "fov", "fracture", "frame", "frontal", "fs", "fse", "ft", "full", "function",
    "functional", "fundus", "fused", "fusion", "g", "gad", "gadolinium", "gallbladder", "gastric",
    "gated", "gd", "ge", "gland", "glands", "gluteal", "gm", "gradient", "grappa", "grase", "gray",
    "gre", "grey", "grid", "groin", "guided", "h", "haemorrhage", "hand", "hands", "haste", "hd",
    "head", "heart", "heel", "hemi", "hemorrhage", "hepatic", "high", "hip", "hippocampus", "hips",
    "hires", "history", "horizontal", "hr", "hrct", "humerus", "hz", "i", "iac", "idr", "iliac",
    "image", "images", "imaging", "in", "inf", "infant", "infarct", "inferior", "inflow", "inguinal",
    "injection", "inner", "inphase", "insp", "inspiration", "inspiratory", "interval", "intestine",
    "intra", "intracranial", "intravenous", "inversion", "invivo", "ir", "irfse", "ischemia", "iso",
    "isotropic", "iterations", "iterative", "iv", "j", "jaw", "jejunum", "joint", "joints", "kernel",
    "kidney", "kidneys", "knee", "knees", "kub", "kv", "kvp", "l", "la", "label", "large", "larynx",
    "lat", "late", "lateral", "lava", "left", "leg", "legs", "lens", "lesion", "level", "lge",
    "ligament", "limb", "limbs", "liver", "lo", "lobe", "lobes", "loc", "localiser", "localizer",
    "long", "longitudinal", "loop", "low", "lower", "lt", "lumbar", "lumbosacral", "lung", "lungs",
    "lv", "lvot", "lymph", "m", "ma", "mag", "magnitude", "main", "mammo", "mammogram", "mammography",
    "mandible", "map", "mapping", "mas", "mask", "mass", "masses", "mastoid", "max", "maxilla",
    "maxillary", "maximum", "mean", "medial", "median", "mediastinal", "mediastinum", "medic", "medium",
    "mesenteric", "metacarpal", "metatarsal", "mid", "middle", "midfoot", "min", "minimum", "mip",
    "mlo", "mm", "molli", "mono", "motion", "mouth", "mov", "mpr", "mprage", "mr", "mra", "mrcp", "mri",
    "mrv", "ms", "mtt", "multi", "muscle", "mv", "myocardial", "myocardium", "n", "nac", "nasal",
    "nasopharynx", "native", "nc", "nd", "ne", "neck", "nerve", "neuro", "neutral", "node", "nodes",
    "nodule", "nodules", "noise", "non", "none", "normal", "nose", "nuclear", "o", "obl", "oblique",
    "occipital", "of", "off", "on", "open", "opposed", "optic", "or", "oral", "orbit", "orbits",
    "original", "out", "outer", "outphase", "ovaries", "ovary", "p", "pa", "palate", "pancreas",
    "parallel", "parasagittal", "parathyroid", "parietal", "parotid", "part", "partial", "pass",
    "patella", "patient", "pc", "pd", "pdw", "pe", "pelvic", "pelvis", "per", "perfusion",
    "pericardium", "peripheral", "periphery", "pet", "petct", "ph", "phantom", "pharynx", "phase",
    "phases", "pineal", "pituitary", "plain", "plane", "planning", "plus", "popliteal", "portal",
    "position", "post", "post1", "postcontrast", "posterior", "pre", "pre1", "precontrast", "pressure",
    "prior", "prone", "prostate", "protocol", "proton", "proximal", "psf", "psif", "pulmonary", "pulse",
    "q", "qa", "quality", "quantitative", "r", "radial", "radiograph", "radiography", "radius", "range",
    "rapid", "raw", "rd", "recon", "reconstruction", "rectum", "ref", "reference", "reformat",
    "reformatted", "region", "renal", "repeat", "resolution", "rest", "retro", "retroperitoneum",
    "retrospective", "rib", "ribs", "right", "ring", "roi", "rois", "rotation", "routine", "row", "rt",
    "rv", "s", "sa", "sacral", "sacroiliac", "sacrum", "sag", "sagittal", "sat", "sc", "scan",
    "scanogram", "scapula", "scout", "screening", "se", "sec", "second", "segment", "segmentation",
    "sense", "sequence", "serial", "series", "sharp", "shim", "short", "shoulder", "shoulders", "shunt",
    "si", "side", "single", "sinus", "sinuses", "skin", "skull", "slab", "slice", "slices", "small",
    "smooth", "sms", "sn", "soft", "sos", "space", "spair", "spc", "spect", "spgr", "spin", "spinal",
    "spine", "spleen", "splenic", "spoiled", "sshtse", "st", "stack", "standard", "standardized",
    "standing", "star", "stat", "static", "std", "stenosis", "stent", "stereo", "sternum", "stir",
    "stomach", "stress", "study", "sub", "subclavian", "subsets", "subtracted", "subtraction", "sup",
    "superficial", "superior", "supine", "supra", "surface", "survey", "sw", "swan", "swi", "systolic",
    "t", "t1", "t1w", "t2", "t2star", "t2w", "table", "tagging", "task", "tbi", "te", "temporal",
    "tendon", "tense", "terminal", "test", "testes", "testis", "th", "thalamus", "the", "thick",
    "thickness", "thigh", "thin", "third", "thk", "thoracic", "thoracolumbar", "thorax", "throat",
    "thrombus", "thumb", "thymus", "thyroid", "tibia", "tibial", "tirm", "tissue", "to", "toe", "toes",
    "tof", "tomo", "tomography", "tomosynthesis", "tone", "tongue", "topogram", "total", "tr", "tra",
    "trace", "trachea", "tract", "trans", "transverse", "trigger", "triggered", "true", "trufi",
    "trufisp", "tse", "tt", "ttp", "tube", "tumor", "turbo", "tw", "twist", "u", "ulna", "ultra",
    "ultrasound", "umbilical", "unenhanced", "unilateral", "upper", "upright", "ureter", "ureters",
    "urethra", "urinary", "urogram", "us", "ute", "uterus", "v", "vagina", "vaginal", "valve",
    "vascular", "vein", "veins", "velocity", "venogram", "venous", "ventral", "ventricle", "ventricles",
    "ventricular", "vertebra", "vertebrae", "vertebral", "vertical", "vessel", "vessels", "vfa", "vibe",
    "view", "views", "vocal", "vol", "volume", "vrt", "w", "wall", "warp", "water", "wb", "weight",
    "weighted", "wfi", "whole", "wide", "width", "window", "with", "without", "wm", "wo", "wrist",
    "wrists", "x", "xa", "xr", "xray", "y", "z", "zoom", "zygomatic",
};
/* clang-format on */

static int by_text(const void *a, const void *b)
{
    return strcmp(a, *(const char *const *)b);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Bytes of other scripts are letters of words that are not in the list. */
static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool in_list(const char *word, size_t n)
{
    char key[MOST_WORD + 1];

    if (n == 0 || n > MOST_WORD)
        return false;
    for (size_t i = 0; i < n; i++)
        key[i] = lower(word[i]);
    key[n] = 0;
    return bsearch(key, words, sizeof words / sizeof *words, sizeof *words, by_text) != NULL;
}

static bool is_unit(const char *s, size_t n)
{
    static const char *const units[] = {"mm",  "cm",  "ml",  "mg",  "s",  "ms",  "sec",
                                        "min", "t",   "kv",  "kvp", "ma", "mas", "hz",
                                        "khz", "mhz", "deg", "d",   "x",  "w",   "ch"};
    char key[4] = {0};

    if (n >= sizeof key)
        return false;
    for (size_t i = 0; i < n; i++)
        key[i] = lower(s[i]);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (!strcmp(key, units[i]))
            return true;
    return false;
}

/* "5", "1.5", "5mm", "3D", "64": few digits, then nothing or a unit. */
static bool is_measure(const char *word, size_t n)
{
    size_t i = 0, digits = 0;

    for (; i < n && (is_digit(word[i]) || (word[i] == '.' && i > 0 && i + 1 < n)); i++)
        digits += is_digit(word[i]);
    if (digits == 0 || digits > MOST_DIGITS)
        return false;
    return i == n || is_unit(word + i, n - i);
}

bool dcm_word_is_safe(const char *word, size_t n)
{
    return in_list(word, n) || is_measure(word, n);
}

static bool occurs(const char *known, const char *word, size_t n)
{
    for (const char *at = known; at && *at;) {
        const size_t k = strcspn(at, " ");
        size_t i = 0;

        while (k == n && i < n && at[i] == lower(word[i]))
            i++;
        if (k == n && i == n && n > 0)
            return true;
        at += k + (at[k] == ' ');
    }
    return false;
}

void dcm_clean_text(mtm_text *out, const char *text, const char *known)
{
    bool first = true;

    while (*text) {
        size_t n = 0;

        while (is_letter(text[n]) || is_digit(text[n]) || (n > 0 && text[n] == '.' && is_digit(text[n + 1])))
            n++;
        if (n == 0) {
            text++;
            continue;
        }
        if (dcm_word_is_safe(text, n) && !occurs(known, text, n)) {
            mtm_text_add(out, "%s%.*s", first ? "" : " ", (int)n, text);
            first = false;
        }
        text += n;
    }
}
