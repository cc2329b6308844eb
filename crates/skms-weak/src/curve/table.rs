//! The curves that are known here: SEC 2 and FIPS 186, and Brainpool (RFC 5639).

use std::sync::LazyLock;

use dashu_int::UBig;

use super::{Lazy, Numbers, Small};

/// A curve by its name.
pub(crate) struct Curve {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its object identifier.
    pub(crate) oid: &'static str,
    pub(super) lazy: Lazy,
}

impl PartialEq for Curve {
    fn eq(&self, other: &Self) -> bool {
        self.oid == other.oid
    }
}

impl Eq for Curve {}

impl std::fmt::Debug for Curve {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// The curve of that object identifier.
pub(crate) fn named(oid: &str) -> Option<&'static Curve> {
    CURVES.iter().copied().find(|curve| curve.oid == oid)
}

fn number(hex: &str) -> UBig {
    UBig::from_str_radix(hex, 16).expect("the tables below are hexadecimal")
}

macro_rules! curves {
    ($($name:literal $oid:literal $id:ident: $p:literal, $a:literal, $b:literal, $x:literal, $y:literal;)*) => {
        $(static $id: Curve = Curve {
            name: $name,
            oid: $oid,
            lazy: Lazy {
                numbers: LazyLock::new(|| -> Numbers {
                    Numbers {
                        p: number($p),
                        a: number($a),
                        b: number($b),
                        generator: (number($x), number($y)),
                    }
                }),
                small: LazyLock::new(|| -> Small { $id.multiples() }),
            },
        };)*

        /// All of them.
        pub(crate) const CURVES: &[&Curve] = &[$(&$id,)*];
    };
}

curves! {
    "P-192" "1.2.840.10045.3.1.1" P192:
        "fffffffffffffffffffffffffffffffeffffffffffffffff",
        "fffffffffffffffffffffffffffffffefffffffffffffffc",
        "64210519e59c80e70fa7e9ab72243049feb8deecc146b9b1",
        "188da80eb03090f67cbf20eb43a18800f4ff0afd82ff1012",
        "07192b95ffc8da78631011ed6b24cdd573f977a11e794811";
    "P-224" "1.3.132.0.33" P224:
        "ffffffffffffffffffffffffffffffff000000000000000000000001",
        "fffffffffffffffffffffffffffffffefffffffffffffffffffffffe",
        "b4050a850c04b3abf54132565044b0b7d7bfd8ba270b39432355ffb4",
        "b70e0cbd6bb4bf7f321390b94a03c1d356c21122343280d6115c1d21",
        "bd376388b5f723fb4c22dfe6cd4375a05a07476444d5819985007e34";
    "P-256" "1.2.840.10045.3.1.7" P256:
        "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
        "ffffffff00000001000000000000000000000000fffffffffffffffffffffffc",
        "5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b",
        "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    "P-384" "1.3.132.0.34" P384:
        "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff000000000000\
         0000ffffffff",
        "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff000000000000\
         0000fffffffc",
        "b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85\
         c8edd3ec2aef",
        "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a54\
         5e3872760ab7",
        "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a43\
         1d7c90ea0e5f";
    "P-521" "1.3.132.0.35" P521:
        "1fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\
         fffffffffffffffffffffffffffffffffffffffffffffff",
        "1fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\
         ffffffffffffffffffffffffffffffffffffffffffffffc",
        "51953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b16\
         52c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00",
        "00c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928\
         fe1dc127a2ffa8de3348b3c1856a429bf97e7e31c2e5bd66",
        "011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e662c97ee72995ef42640\
         c550b9013fad0761353c7086a272c24088be94769fd16650";
    "secp256k1" "1.3.132.0.10" SECP256K1:
        "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f",
        "0",
        "7",
        "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
        "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8";
    "brainpoolP256r1" "1.3.36.3.3.2.8.1.1.7" BRAINPOOL256:
        "a9fb57dba1eea9bc3e660a909d838d726e3bf623d52620282013481d1f6e5377",
        "7d5a0975fc2c3057eef67530417affe7fb8055c126dc5c6ce94a4b44f330b5d9",
        "26dc5c6ce94a4b44f330b5d9bbd77cbf958416295cf7e1ce6bccdc18ff8c07b6",
        "8bd2aeb9cb7e57cb2c4b482ffc81b7afb9de27e1e3bd23c23a4453bd9ace3262",
        "547ef835c3dac4fd97f8461a14611dc9c27745132ded8e545c1d54c72f046997";
    "brainpoolP384r1" "1.3.36.3.3.2.8.1.1.11" BRAINPOOL384:
        "8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b412b1da197fb71123acd3a729901d1a718747\
         00133107ec53",
        "7bc382c63d8c150c3c72080ace05afa0c2bea28e4fb22787139165efba91f90f8aa5814a503ad4eb04a8\
         c7dd22ce2826",
        "4a8c7dd22ce28268b39b55416f0447c2fb77de107dcd2a62e880ea53eeb62d57cb4390295dbc9943ab78\
         696fa504c11",
        "1d1c64f068cf45ffa2a63a81b7c13f6b8847a3e77ef14fe3db7fcafe0cbd10e8e826e03436d646aaef87\
         b2e247d4af1e",
        "8abe1d7520f9c2a45cb1eb8e95cfd55262b70b29feec5864e19c054ff99129280e464621779181114282\
         0341263c5315";
    "brainpoolP512r1" "1.3.36.3.3.2.8.1.1.13" BRAINPOOL512:
        "aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca703308717d4d9b009bc66842aecd\
         a12ae6a380e62881ff2f2d82c68528aa6056583a48f3",
        "7830a3318b603b89e2327145ac234cc594cbdd8d3df91610a83441caea9863bc2ded5d5aa8253aa10a2e\
         f1c98b9ac8b57f1117a72bf2c7b9e7c1ac4d77fc94ca",
        "3df91610a83441caea9863bc2ded5d5aa8253aa10a2ef1c98b9ac8b57f1117a72bf2c7b9e7c1ac4d77fc\
         94cadc083e67984050b75ebae5dd2809bd638016f723",
        "81aee4bdd82ed9645a21322e9c4c6a9385ed9f70b5d916c1b43b62eef4d0098eff3b1f78e2d0d48d50d1\
         687b93b97d5f7c6d5047406a5e688b352209bcb9f822",
        "7dde385d566332ecc0eabfa9cf7822fdf209f70024a57b1aa000c55b881f8111b2dcde494a5f485e5bca\
         4bd88a2763aed1ca2b2fa8f0540678cd1e0f3ad80892";
}
