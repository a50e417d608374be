from tokenomics.cli import main

main()
