/**
 * What `libtorch install` gets: the official wheels, by name and SHA-256. Python's packages are used because every site that
 * mirrors anything mirrors them; nothing of Python is needed to unpack or to use them.
 */
import { StainfoldError } from '../errors.js';
import { autoVariant, type CUDA_VARIANT } from './host.js';

export interface PinnedWheel {
  /** Name in the package index. */
  project: string;
  /** What pip is asked for: `torch==2.13.0+cpu`. */
  version: string;
  file: string;
  sha256: string;
  bytes: number;
  /** Address, where it is not to be looked up in the package index. */
  url?: string;
  /** Index that pip is pointed to beside the site's own. */
  index?: string;
}

export interface Release {
  version: string;
  variant: 'cpu' | typeof CUDA_VARIANT;
  wheels: readonly PinnedWheel[];
}

const CPU_INDEX = 'https://download.pytorch.org/whl/cpu';

export const RELEASES: readonly Release[] = [
  {
    version: '2.13.0',
    variant: 'cpu',
    wheels: [
      {
        project: 'torch',
        version: '2.13.0+cpu',
        file: 'torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl',
        sha256: '6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b',
        bytes: 191_794_682,
        url: `${CPU_INDEX}/torch-2.13.0%2Bcpu-cp311-cp311-manylinux_2_28_x86_64.whl`,
        index: CPU_INDEX,
      },
    ],
  },
  {
    version: '2.14.1',
    variant: 'cu130',
    // torch and what it needs at run time, as its metadata lists them
    wheels: [
      wheel(
        'torch-2.14.1-cp311-cp311-manylinux_2_28_x86_64.whl',
        '305a61f61f35f128579f299c5bd33d475f6a01c6307336139632e30856c4854d',
        554_581_699,
      ),
      wheel(
        'nvidia_cublas-13.1.1.3-py3-none-manylinux_2_27_x86_64.whl',
        '37936a16db8fe4ac1f065c2139360608a543a09275cb1a1af612e08cfa065436',
        423_138_758,
      ),
      wheel(
        'nvidia_cuda_cupti-13.0.85-py3-none-manylinux_2_25_x86_64.whl',
        '4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8',
        10_715_597,
      ),
      wheel(
        'nvidia_cuda_nvrtc-13.0.88-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl',
        'ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575',
        90_215_200,
      ),
      wheel(
        'nvidia_cudnn_cu13-9.24.0.43-py3-none-manylinux_2_27_x86_64.whl',
        '71f181cd810e90f9b6023b01186fe82d13d65f0ec098581ee201d39fad769e4b',
        553_099_438,
      ),
      wheel(
        'nvidia_cufft-12.0.0.61-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl',
        '6c44f692dce8fd5ffd3e3df134b6cdb9c2f72d99cf40b62c32dde45eea9ddad3',
        214_085_489,
      ),
      wheel(
        'nvidia_cufile-1.15.1.6-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl',
        '08a3ecefae5a01c7f5117351c64f17c7c62efa5fffdbe24fc7d298da19cd0b44',
        1_223_672,
      ),
      wheel(
        'nvidia_curand-10.4.0.35-py3-none-manylinux_2_27_x86_64.whl',
        '1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc',
        59_544_258,
      ),
      wheel(
        'nvidia_cusolver-12.0.4.66-py3-none-manylinux_2_27_x86_64.whl',
        '0a759da5dea5c0ea10fd307de75cdeb59e7ea4fcb8add0924859b944babf1112',
        200_941_980,
      ),
      wheel(
        'nvidia_cusparse-12.6.3.3-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl',
        '2b3c89c88d01ee0e477cb7f82ef60a11a4bcd57b6b87c33f789350b59759360b',
        145_942_937,
      ),
      wheel(
        'nvidia_cusparselt_cu13-0.8.1-py3-none-manylinux2014_x86_64.whl',
        '786ce87568c303fadb5afcc7102d454cd3040d75f6f8626f5db460d1871f4dd0',
        170_148_586,
      ),
      wheel(
        'nvidia_nccl_cu13-2.30.7-py3-none-manylinux_2_18_x86_64.whl',
        'cefa7fdb9710efd0f39c5f1be1d61ff6fc9a996c451265bd7fbdcf9455ed4b50',
        215_965_170,
      ),
      wheel(
        'nvidia_nvjitlink-13.4.92-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl',
        'e0391f24ed94ec879b84e3da4d4ec320c879aff681f2c7a638462f7199284323',
        42_452_378,
      ),
      wheel(
        'nvidia_nvshmem_cu13-3.4.5-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl',
        '290f0a2ee94c9f3687a02502f3b9299a9f9fe826e6d0287ee18482e78d495b80',
        60_412_546,
      ),
      wheel(
        'nvidia_nvtx-13.0.85-py3-none-manylinux1_x86_64.manylinux_2_5_x86_64.whl',
        '4936d1d6780fbe68db454f5e72a42ff64d1fd6397df9f363ae786930fd5c1cd4',
        148_047,
      ),
      wheel(
        'nvidia_cuda_runtime-13.0.96-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl',
        '7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548',
        2_243_632,
      ),
    ],
  },
];

/** The release for a variant; `auto` is the one that fits this machine. */
export function releaseFor(variant: 'auto' | Release['variant']): Release {
  const wanted = variant === 'auto' ? autoVariant() : variant;
  const release = RELEASES.find((candidate) => candidate.variant === wanted);
  if (!release) {
    throw new StainfoldError('STAINFOLD_OPTION', `variant is 'auto', 'cpu' or 'cu130', got '${variant}'`);
  }
  return release;
}

/** A wheel from its file name, whose fields are fixed by the format: project, version, Python, ABI, platform. */
function wheel(file: string, sha256: string, bytes: number): PinnedWheel {
  const [project = '', version = ''] = file.split('-');
  return { project: project.replaceAll('_', '-'), version, file, sha256, bytes };
}
