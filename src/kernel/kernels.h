/* kernel/kernels.h: every kernel family in one table, filled for a set of CPU flags.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_KERNELS_H
#define MTM_KERNEL_KERNELS_H

#include "kernel/bias.h"
#include "kernel/color.h"
#include "kernel/convert.h"
#include "kernel/convolve.h"
#include "kernel/copy.h"
#include "kernel/displace.h"
#include "kernel/distance.h"
#include "kernel/ebcot.h"
#include "kernel/fft.h"
#include "kernel/ht.h"
#include "kernel/label.h"
#include "kernel/median.h"
#include "kernel/pointwise.h"
#include "kernel/resample.h"
#include "kernel/select.h"
#include "kernel/stats.h"
#include "kernel/warp.h"
#include "kernel/wavelet.h"
#include "kernel/window.h"

typedef struct mtm_kernels {
    mtm_convert_kernels convert;
    mtm_label_kernels label;
    mtm_distance_kernels distance;
    mtm_median_kernels median;
    mtm_pointwise_kernels pointwise;
    mtm_warp_kernels warp;
    mtm_select_kernels select;
    mtm_stats_kernels stats;
    mtm_resample_kernels resample;
    mtm_convolve_kernels convolve;
    mtm_copy_kernels copy;
    mtm_displace_kernels displace;
    mtm_ebcot_kernels ebcot;
    mtm_ht_kernels ht;
    mtm_wavelet_kernels wavelet;
    mtm_color_kernels color;
    mtm_fft_kernels fft;
    mtm_bias_kernels bias;
    mtm_window_kernels window;
} mtm_kernels;

void mtm_kernels_init(mtm_kernels *k, unsigned cpu);

#endif
