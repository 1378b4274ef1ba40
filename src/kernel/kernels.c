/* kernel/kernels.c: fills every family's table.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels.h"

void mtm_kernels_init(mtm_kernels *k, unsigned cpu)
{
    mtm_convert_kernels_init(&k->convert, cpu);
    mtm_select_kernels_init(&k->select, cpu);
    mtm_stats_kernels_init(&k->stats, cpu);
    mtm_label_kernels_init(&k->label, cpu);
    mtm_distance_kernels_init(&k->distance, cpu);
    mtm_median_kernels_init(&k->median, cpu);
    mtm_pointwise_kernels_init(&k->pointwise, cpu);
    mtm_warp_kernels_init(&k->warp, cpu);
    mtm_resample_kernels_init(&k->resample, cpu);
    mtm_convolve_kernels_init(&k->convolve, cpu);
    mtm_copy_kernels_init(&k->copy, cpu);
    mtm_displace_kernels_init(&k->displace, cpu);
    mtm_ebcot_kernels_init(&k->ebcot, cpu);
    mtm_ht_kernels_init(&k->ht, cpu);
    mtm_wavelet_kernels_init(&k->wavelet, cpu);
    mtm_color_kernels_init(&k->color, cpu);
    mtm_fft_kernels_init(&k->fft, cpu);
    mtm_bias_kernels_init(&k->bias, cpu);
    mtm_window_kernels_init(&k->window, cpu);
}
